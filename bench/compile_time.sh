#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sh bench/compile_time.sh [COMPILER]: milliseconds to compile at -O2, the best of three: model.hpp alone, the text model of the shapes config, a first
# program that generates, a file that uses a model compiled elsewhere, and a header that only names things; with all functions inline, with the kernels
# compiled elsewhere (the target qwen35::kernels), and with all that is no template of a config compiled elsewhere (qwen35::generate).
set -eu
cd "$(dirname "$0")/.."
compiler=${1:-g++}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# milliseconds <name> <definitions...>
milliseconds() {
  name=$1
  shift
  best=999999
  for _ in 1 2 3; do
    start=$(date +%s%N)
    "$compiler" -std=c++20 -O2 -fopenmp -Iinclude "$@" -c "tests/compile_budget/$name.cpp" -o "$folder/$name.o"
    elapsed=$((($(date +%s%N) - start) / 1000000))
    [ "$elapsed" -lt "$best" ] && best=$elapsed
  done
  printf '%s' "$best"
}
printf '%-14s %10s %10s %10s\n' "ms" "inline" "kernels" "generate"
for name in model text_model first_program elsewhere names; do
  printf '%-14s %10s' "$name" "$(milliseconds "$name")"
  printf ' %10s' "$(milliseconds "$name" -DQWEN35_COMPILED_KERNELS)"
  printf ' %10s\n' "$(milliseconds "$name" -DQWEN35_COMPILED_KERNELS -DQWEN35_COMPILED_GENERATE)"
done
