#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sh bench/compile_time.sh [COMPILER]: the processor's seconds to compile at -O2, the best of three, and the most memory in MB (GNU time measures both):
# model.hpp alone, the text model of the shapes config, a first program that generates, a file that uses a model compiled elsewhere, and a header that only
# names things; with all functions inline, with the kernels compiled elsewhere (the target qwen35::kernels), and with all that is no template of a config
# compiled elsewhere (qwen35::generate).
set -eu
cd "$(dirname "$0")/.."
compiler=${1:-g++}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# cost <name> <definitions...>
cost() {
  name=$1
  shift
  for _ in 1 2 3; do
    env time -f '%U %M' -o "$folder/cost" -a \
      "$compiler" -std=c++20 -O2 -fopenmp -Iinclude "$@" -c "tests/compile_budget/$name.cpp" -o "$folder/$name.o"
  done
  sort -n "$folder/cost" | awk 'NR == 1 { printf "%.1f s %4d MB", $1, $2 / 1024 }'
  rm "$folder/cost"
}
printf '%-14s %16s %16s %16s\n' "" "inline" "kernels" "generate"
for name in model text_model first_program elsewhere names; do
  printf '%-14s %16s' "$name" "$(cost "$name")"
  printf ' %16s' "$(cost "$name" -DQWEN35_COMPILED_KERNELS)"
  printf ' %16s\n' "$(cost "$name" -DQWEN35_COMPILED_KERNELS -DQWEN35_COMPILED_GENERATE)"
done
