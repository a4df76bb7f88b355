// SPDX-License-Identifier: Apache-2.0
// Google Benchmark's main(), compiled once for all bench programs.
#include <benchmark/benchmark.h>

BENCHMARK_MAIN();
