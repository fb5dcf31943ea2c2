"""A bulk run whose workers are SLURM jobs of their own, by dask-jobqueue.

    pip install dask-jobqueue 'imagedataextractor[dask]'
    python slurm_jobqueue.py DEFINITION.toml [options of ide mine]

Run it where jobs may be submitted from (in a screen or tmux). Workers come and go between 2 and 64
as there is work; Ctrl-C finishes what is in flight, and the same command again goes on from there.
Adapt queue, memory and time to your cluster.
"""

import signal
import subprocess
import sys

from dask_jobqueue import SLURMCluster

if __name__ == "__main__":
    with SLURMCluster(
        cores=1,  # one article at a time a worker
        processes=1,
        memory="6 GB",
        walltime="08:00:00",
        queue="batch",
        # Workers leave, one after the other, before SLURM ends them: an article that several of them
        # die on would be taken for the cause.
        worker_extra_args=["--lifetime", "7h", "--lifetime-stagger", "30m"],
        job_script_prologue=[
            "export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1",
            "export DASK_LOGGING__DISTRIBUTED=warning",
        ],
    ) as cluster:
        cluster.adapt(minimum=2, maximum=64)
        # The terminal sends Ctrl-C to both; the run heeds it, the workers stay until the run has ended.
        signal.signal(signal.SIGINT, lambda *_: None)
        run = subprocess.Popen(["ide", "mine", *sys.argv[1:], "--dask", cluster.scheduler_address])
        signal.signal(signal.SIGTERM, lambda *_: run.terminate())
        code = run.wait()
    sys.exit(code)
