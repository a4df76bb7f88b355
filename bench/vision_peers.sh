#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Our vision tower beside other programs, on a picture of 768 x 768 pixels (2304 patches, 2.55 TFLOP) and with the same number of threads:
#
#   sh bench/vision_peers.sh BIN FOLDER [THREADS]
#
# BIN: the folder of the release build's programs. FOLDER: a checkpoint with the 35B-A3B's vision tower, whatever its text model. The others run if their
# commands are in the environment, and read the same weights:
#   LLAMA   "llama-mtmd-cli -m TEXT.gguf --mmproj VISION.gguf"
#   TORCH   "python3 bench/vision_peer.py FOLDER"
# Ours and TORCH are warmed up by one run and then timed three times, LLAMA (a process each time) twice; the fastest counts.
set -eu
if [ $# -lt 2 ]; then
  sed -n '3,12s/^# \{0,1\}//p' "$0"
  exit 2
fi
bin=$1
folder=$2
threads=${3:-2}
work=$(mktemp -d -p "${TMPDIR:-.}" vision_peers.XXXXXX)  # by default where we are: a peer may see no other folder
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS="$threads"

peak=$("$bin/bench_kernels_peak" --benchmark_filter="threads:$threads/" 2>/dev/null | sed -n 's/.*flop\/s=\([0-9.]*\)G.*/\1/p' | sort -n | tail -1)
echo "peak: $peak GFLOP/s, $threads threads"
QWEN35_BENCH_VISION="$folder" "$bin/bench_model_vision_tower" --benchmark_filter='^vision_tower' --benchmark_repetitions=4 2>/dev/null |
  sed -n 's/^vision_tower\/real_time  *\([0-9.]*\) ms.*/\1/p' | tail -3 >"$work/ours"
if [ -n "${LLAMA:-}" ]; then
  { printf 'P6\n768 768\n255\n'; head -c 1769472 /dev/urandom; } >"$work/picture.ppm"
  for run in 1 2; do
    $LLAMA --image "$work/picture.ppm" -p hi -n 1 -t "$threads" 2>&1 | sed -n 's/.*encod.* done in \([0-9]*\) ms.*/\1/p' | head -1
  done >"$work/llama"
fi
if [ -n "${TORCH:-}" ]; then
  $TORCH "$threads" | tail -3 >"$work/torch"
fi
best() { sort -n "$1" | head -1; }
ours=$(best "$work/ours")
for program in ours llama torch; do
  [ -s "$work/$program" ] || continue
  awk -v name="$program" -v ms="$(best "$work/$program")" -v ours="$ours" -v peak="$peak" \
    'BEGIN { printf "%-6s %8.2f s  %6.1f GFLOP/s  %3.0f %% of the peak  %.2f times ours\n", name, ms / 1e3, 2550 / (ms / 1e3), 255000 / (ms / 1e3) / peak, ms / ours }'
done
