#!/bin/bash
# A suite on a SLURM cluster: sbatch examples/cluster/slurm.sh suite.yaml
# Every node needs the same environment and the same $HARNESS_HOME, on a disk that all share.
#SBATCH --job-name=harness
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-task=1
#SBATCH --time=24:00:00
set -eu
suite=${1:?path of a suite}
export HARNESS_HOME=${HARNESS_HOME:?a folder on a disk that all nodes share}
mkdir -p "$HARNESS_HOME"
meeting=$HARNESS_HOME/scheduler-${SLURM_JOB_ID:-local}.json

dask scheduler --scheduler-file "$meeting" --port 0 --no-dashboard &
scheduler=$!
# One worker for each task of the allocation, with one unit at a time on its GPU.
srun dask worker --scheduler-file "$meeting" --nthreads 1 --no-nanny --no-dashboard --resources GPU=1 &
workers=$!
trap 'kill $workers; wait $workers || kill $scheduler; rm -f "$meeting"' EXIT

until [ -s "$meeting" ]; do kill -0 $scheduler; sleep 1; done
address=$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["address"])' "$meeting")
# Killed by the time limit, the same job goes on from what is stored, a fit from its last checkpoint.
harness run "$suite" --dask "$address" --device "${HARNESS_DEVICE:-cuda}" -o "${HARNESS_BOARD:-leaderboards/$(basename "$suite" .yaml)}"
