#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sh bench/compile_time.sh [COMPILER]: seconds to compile model.hpp alone, and the text model of the shapes config, at -O2, the best of three.
# Budgets: 4 s and 15 s on two cores of 2023.
set -eu
cd "$(dirname "$0")/.."
compiler=${1:-g++}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '#include <qwen35/model.hpp>\n' >"$folder/model_hpp.cpp"
printf '#include <qwen35/model.hpp>\ntemplate class qwen35::TextModel<qwen35::configs::Shapes>;\n' >"$folder/text_model.cpp"
for name in model_hpp text_model; do
  best=999999
  for _ in 1 2 3; do
    start=$(date +%s%N)
    "$compiler" -std=c++20 -O2 -fopenmp -Iinclude -c "$folder/$name.cpp" -o "$folder/$name.o"
    elapsed=$((($(date +%s%N) - start) / 1000000))
    [ "$elapsed" -lt "$best" ] && best=$elapsed
  done
  printf '%-12s %5d ms\n' "$name" "$best"
done
