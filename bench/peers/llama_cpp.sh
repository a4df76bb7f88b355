#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Speed beside llama.cpp's on the same GGUF files: prompts and decoding alternate in one run; medians and their ratios as a Markdown table, with
# what the machine itself can do beside them.
#
#   sh bench/peers/llama_cpp.sh [-p TOKENS] [-n TOKENS] [-d DEPTH,...] [-r ROUNDS] [-t THREADS] FILE...
#
# QWEN35_BENCH calls ours (build/release/bin/qwen35-bench), LLAMA_BENCH llama.cpp's (llama-bench). llama.cpp runs with flash attention off and on, and
# its better one counts; keys and values are f16 in both. Ours draws a random token each step; llama-bench decodes random tokens too.
set -eu

prompt=512 gen=64 depths=0 rounds=3 threads=$(nproc 2>/dev/null || echo 2)
usage() {
  sed -n '3,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
while getopts p:n:d:r:t: option; do
  case "$option" in
    p) prompt=$OPTARG ;;
    n) gen=$OPTARG ;;
    d) depths=$OPTARG ;;
    r) rounds=$OPTARG ;;
    t) threads=$OPTARG ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || usage
ours=${QWEN35_BENCH:-build/release/bin/qwen35-bench}
theirs=${LLAMA_BENCH:-llama-bench}
results=$(mktemp)
trap 'rm -f "$results" "$results.json"' EXIT

# record ENGINE FILE: JSON of either program on the input becomes lines "file engine test speed".
record() {
  python3 - "$1" "$2" "$results" <<'PYTHON'
import json, os, sys
engine, path, results = sys.argv[1:]
with open(results + ".json") as source, open(results, "a") as out:
    text = source.read()
    for run in json.loads(text[text.index("["):]):
        test = f"pp{run['n_prompt']}" if run["n_prompt"] else f"tg{run['n_gen']}"
        depth = f" @ d{run['n_depth']}" if run.get("n_depth") else ""
        samples = sorted(run["samples_ts"])
        middle = (samples[(len(samples) - 1) // 2] + samples[len(samples) // 2]) / 2
        extra = [run.get(field, 0) for field in ("bytes_per_second", "read_bandwidth", "multiply_add_peak")]
        print(os.path.basename(path), engine, test + depth, middle, *extra, run["cpu_info"], sep="\t", file=out)
PYTHON
}

for file in "$@"; do
  round=0
  while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    # shellcheck disable=SC2086
    $ours -m "$file" -p "$prompt" -n "$gen" -d "$depths" -t "$threads" -r 1 -o json >"$results.json"
    record ours "$file"
    for flash in 0 1; do
      # shellcheck disable=SC2086
      $theirs -m "$file" -p "$prompt" -n "$gen" -d "$depths" -t "$threads" -fa "$flash" -r 1 -o json >"$results.json" 2>/dev/null
      record "llama.cpp-fa$flash" "$file"
    done
  done
done

python3 - "$results" "$threads" <<'PYTHON'
import collections, statistics, sys
runs, order = collections.defaultdict(list), {}
streamed, bandwidth, peak, cpu = collections.defaultdict(list), [], [], ""
for line in open(sys.argv[1]):
    file, engine, test, speed, rate, read, multiply, cpu_name = line.rstrip("\n").split("\t")
    runs[file, test, engine].append(float(speed))
    order[file, test] = None
    if engine == "ours":
        streamed[file, test].append(float(rate))
        bandwidth.append(float(read))
        peak.append(float(multiply))
        cpu = cpu_name
print(f"{cpu}, {sys.argv[2]} threads: reads {max(bandwidth) / 1e9:.1f} GB/s, multiplies {2 * max(peak) / 1e9:.0f} GFLOP/s in f32. Medians of tokens a second.\n")
print("| file | test | ours | llama.cpp | ratio | of the read bandwidth |\n|---|---|---:|---:|---:|---:|")
for file, test in order:
    ours = statistics.median(runs[file, test, "ours"])
    theirs = max(statistics.median(runs[file, test, f"llama.cpp-fa{flash}"]) for flash in "01")
    rate = statistics.median(streamed[file, test])
    share = f"{100 * rate / max(bandwidth):.0f} %" if rate > 0 else "-"
    print(f"| {file} | {test} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.2f} | {share} |")
PYTHON
