#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Our tokenizer beside another library's, on the same file and documents:
#
#   sh bench/tokenizer_peer.sh build/release/bin/bench_text_tokenizer TOKENIZER_JSON CORPUS.jsonl python3 bench/tokenizer_peer.py
#
# What follows the corpus is the peer's command; it gets the tokenizer's and the corpus's path and prints its own line. bench/tokenizer_corpus.py
# makes a corpus.
set -eu
if [ $# -lt 4 ]; then
  sed -n '3,8s/^# \{0,1\}//p' "$0"
  exit 2
fi
bench=$1
tokenizer=$2
corpus=$3
shift 3
QWEN35_BENCH_TOKENIZER="$tokenizer" QWEN35_BENCH_CORPUS="$corpus" "$bench" --benchmark_filter='^(load|encode_documents|count_documents)' \
  --benchmark_repetitions=3 --benchmark_report_aggregates_only=false
"$@" "$tokenizer" "$corpus"
