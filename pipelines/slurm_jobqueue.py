"""A bulk run whose workers are SLURM jobs of their own, by dask-jobqueue.

    pip install dask-jobqueue 'imagedataextractor[dask]'
    python slurm_jobqueue.py DEFINITION.toml [options of ide mine]

Run it where jobs may be submitted from (in a screen or tmux). Workers come and go between 2 and 64
as there is work; the same command again goes on where this one stopped. Adapt queue, memory and
time to your cluster.
"""

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
        job_script_prologue=["export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1"],
    ) as cluster:
        cluster.adapt(minimum=2, maximum=64)
        command = ["ide", "mine", *sys.argv[1:], "--dask", cluster.scheduler_address]
        sys.exit(subprocess.run(command, check=False).returncode)
