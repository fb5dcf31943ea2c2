#!/bin/bash
# A bulk run inside one SLURM job: a Dask scheduler, a worker a task, and `ide mine`.
#
#     sbatch --nodes 4 --ntasks-per-node 16 slurm.sh DEFINITION.toml [options of ide mine]
#
# Submit it again to go on where the job ended; after the loss of its first node SLURM does so by
# itself. For GPUs add --gpus-per-task 1 and set IDE_WORKER_RESOURCES=GPU=1, with
# --dask-resource GPU=1 among the options of ide mine.
#SBATCH --job-name=ide-mine
#SBATCH --cpus-per-task=1
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@300
#SBATCH --requeue
#SBATCH --open-mode=append

set -euo pipefail

# One folder that all nodes see.
export IDE_CACHE="${IDE_CACHE:-$PWD/ide-cache}"
cores="${SLURM_CPUS_PER_TASK:-1}"
export OMP_NUM_THREADS="$cores" OPENBLAS_NUM_THREADS="$cores" MKL_NUM_THREADS="$cores"
export DASK_LOGGING__DISTRIBUTED="${DASK_LOGGING__DISTRIBUTED:-warning}"
mkdir -p "$IDE_CACHE"
address="$IDE_CACHE/scheduler-${SLURM_JOB_ID:-local}.json"
rm -f "$address"    # of the same job before it was requeued

dask scheduler --scheduler-file "$address" --no-dashboard --port 0 &
scheduler=$!
until [ -s "$address" ]; do
    sleep 1
    kill -0 "$scheduler"
done

# The loss of a task or a node costs its workers only. The cores must be said again: since version 22
# srun does not take them from sbatch.
start=(srun --cpus-per-task "$cores" --kill-on-bad-exit=0 --no-kill)
command -v srun > /dev/null || start=()    # outside SLURM: one worker here, to try it out
"${start[@]}" dask worker --scheduler-file "$address" --no-dashboard --nthreads 1 --death-timeout 60 \
    --local-directory "${TMPDIR:-/tmp}" ${IDE_WORKER_RESOURCES:+--resources "$IDE_WORKER_RESOURCES"} &
workers=$!

url=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["address"])' "$address")
ide mine "$@" --dask "$url" &
run=$!
# SLURM tells this shell that time is nearly up; the run finishes what is in flight.
trap 'kill -TERM "$run"' TERM INT
code=0
wait "$run" || code=$?
while kill -0 "$run" 2> /dev/null; do    # the trap interrupts a wait
    wait "$run" && code=0 || code=$?
done
trap - TERM INT
# The scheduler and its workers leave together, of themselves if they can.
python3 -c 'import distributed, sys; distributed.Client(sys.argv[1], timeout=20).shutdown()' "$url" ||
    kill "$scheduler" "$workers" 2> /dev/null || true
wait "$scheduler" "$workers" 2> /dev/null || true
rm -f "$address"
exit "$code"
