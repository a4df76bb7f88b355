#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sh cmake/run.sh demo        build the demo and run it
# sh cmake/run.sh test        build the tests and run them
# sh cmake/run.sh test all    and: the code's format, each header alone, uses that must not compile, users' projects, the examples, a Clang build, the address, UB and thread sanitizers
# sh cmake/run.sh fuzz MINUTES  build the fuzz drivers and run each for so long; what they find stands in build/fuzz/found
# sh cmake/run.sh soak        10^5 tokens and 10^4 turns of the small model, whose memory must not grow
# sh cmake/run.sh bench       build the benches and run them; what follows goes to each (--benchmark_filter=...)
#
# Each first installs the Debian packages that are missing, saying so. Where there is no apt, CMake downloads what it does not find.
set -eu
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")/.."

say() { printf '%s\n' "== $*"; }

# wrong <message>: says it, and what can be asked.
wrong() {
  printf '%s\n' "$1" >&2
  usage >&2
}

usage() {
  sed -n 's/^# \(sh cmake.*\)/\1/p' cmake/run.sh
  exit "${1:-2}"
}
case "${1:-}" in -h | --help) usage 0 ;; esac

# install_missing <kind of build>
install_missing() {
  libraries="libhwy-dev libxsimd-dev rapidjson-dev libutf8proc-dev"
  images="libjpeg-dev libpng-dev libwebp-dev libgif-dev libtiff-dev libavif-dev"
  case "$1" in
    demo) packages="$libraries $images libcli11-dev" ;;
    bench) packages="$libraries $images libbenchmark-dev" ;;
    test) packages="$libraries $images libeigen3-dev doctest-dev" ;;
    all) packages="$libraries $images libeigen3-dev doctest-dev libbenchmark-dev libcli11-dev libomp-dev libclang-rt-dev libc++-dev" ;;
  esac
  missing=""
  if command -v dpkg-query >/dev/null 2>&1; then
    for package in $packages; do
      case "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || :)" in
        "install ok installed") ;;
        *) missing="$missing $package" ;;
      esac
    done
  fi
  # Programs count wherever they come from.
  tools="g++:g++ cmake:cmake ninja:ninja-build ccache:ccache"
  [ "$1" = all ] && tools="$tools clang++:clang clang-format:clang-format doxygen:doxygen pkg-config:pkg-config aarch64-linux-gnu-g++:g++-aarch64-linux-gnu qemu-aarch64:qemu-user"
  for tool in $tools; do
    command -v "${tool%%:*}" >/dev/null 2>&1 || missing="$missing ${tool##*:}"
  done
  [ -n "$missing" ] || return 0

  if ! command -v apt-get >/dev/null 2>&1; then
    say "not found:$missing; there is no apt-get here, so libraries will be downloaded by CMake"
    return 0
  fi
  sudo=""
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
      say "missing Debian packages:$missing; neither root nor sudo, so libraries will be downloaded by CMake"
      return 0
    fi
    sudo="sudo"
  fi
  say "installing Debian packages:$missing"
  # A stale list names versions that the archive no longer has; refreshing takes seconds.
  $sudo apt-get update -qq || say "the package lists could not be refreshed; trying with those that are here"
  # shellcheck disable=SC2086
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# announce <what is built> <minutes of two processors>
announce() {
  say "building $1: with two processors about $2 minutes the first time, less where ccache has seen it (here: $jobs)"
}

jobs=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

# configure <preset> <settings...>
configure() {
  preset=$1
  shift
  if command -v ninja >/dev/null 2>&1; then
    cmake --preset "$preset" "$@"
  else
    cmake --preset "$preset" -G "Unix Makefiles" "$@"
  fi >build-configure.log 2>&1 || { cat build-configure.log; rm -f build-configure.log; exit 1; }
  rm -f build-configure.log
}

# test_with <preset> <settings...>: configures, builds, runs.
test_with() {
  preset=$1
  shift
  say "$preset: build"
  configure "$preset" "$@"
  cmake --build "build/$preset" --parallel "$jobs"
  say "$preset: tests"
  # shellcheck disable=SC2086
  (cd "build/$preset" && ${run_with:-} ctest --parallel "$jobs" --output-on-failure)
}

[ $# -ge 1 ] || usage
command=$1
shift
case "$command" in
  demo)
    install_missing demo
    announce "the demo with all that it includes" 2
    configure release -DQWEN35_BUILD_TESTS=OFF
    cmake --build build/release --parallel "$jobs" --target demo
    say "build/release/bin/demo"
    build/release/bin/demo "$@"
    ;;
  test)
    case "${1:-}" in
      "")
        install_missing test
        announce "the tests" 4
        test_with test -DQWEN35_DEV_TEST_ALL=OFF -DQWEN35_DEV_BUILD_CHECKS=OFF -DQWEN35_DEV_REPLAY=OFF -DQWEN35_BUILD_BENCH=OFF -DQWEN35_BUILD_EXAMPLES=OFF
        ;;
      all)
        install_missing all
        announce "all tests four times (Clang, two with sanitizers, GCC), and running them" 30
        test_with clang
        test_with asan-ubsan
        # libomp is not instrumented, and beside libc++ does not find what tells the sanitizer of its barriers; and where addresses are very random
        # (vm.mmap_rnd_bits 32) Clang 14's runtime finds no room.
        run_with="env TSAN_OPTIONS=ignore_noninstrumented_modules=1 OMP_TOOL_LIBRARIES=$(clang++ -print-file-name=libarcher.so)"
        ! setarch "$(uname -m)" -R true 2>/dev/null || run_with="setarch $(uname -m) -R $run_with"
        test_with tsan
        run_with=""
        test_with test -DQWEN35_DEV_TEST_ALL=ON -DQWEN35_DEV_BUILD_CHECKS=ON -DQWEN35_DEV_REPLAY=ON -DQWEN35_BUILD_BENCH=ON -DQWEN35_BUILD_EXAMPLES=ON
        ;;
      *) wrong "test $1: only \"all\" may follow" ;;
    esac
    ;;
  fuzz)
    [ $# -ge 1 ] || wrong "fuzz: how many minutes for each driver?"
    minutes=$1
    [ "$minutes" -gt 0 ] 2>/dev/null || wrong "fuzz: expected a number of minutes, found $minutes"
    install_missing all
    announce "the fuzz drivers" 15
    configure fuzz
    cmake --build build/fuzz --parallel "$jobs" --target fuzz_drivers
    mkdir -p build/fuzz/found
    # What is new is kept in build/fuzz/corpus, where the next run goes on.
    # shellcheck disable=SC2016
    printf '%s\n' build/fuzz/bin/*_fuzz_* | xargs -P "$jobs" -I @ sh -c '
      name=${1##*/}
      mkdir -p "build/fuzz/corpus/$name"
      if OMP_NUM_THREADS=1 "$1" -max_total_time="$2" -timeout=30 -rss_limit_mb=3000 -print_final_stats=1 -artifact_prefix="build/fuzz/found/$name-" \
           "build/fuzz/corpus/$name" "tests/data/corpus/$name" >"build/fuzz/$name.log" 2>&1; then result=nothing; else result="SOMETHING, see build/fuzz/$name.log"; fi
      printf "%s: %s inputs, found %s\n" "$name" "$(sed -n "s/^stat::number_of_executed_units: *//p" "build/fuzz/$name.log")" "$result"
    ' sh @ "$((minutes * 60))"
    if ls build/fuzz/found/* >/dev/null 2>&1; then exit 1; fi
    ;;
  soak)
    install_missing test
    announce "the soak test" 5
    configure test -DQWEN35_DEV_TEST_ALL=OFF -DQWEN35_DEV_BUILD_CHECKS=OFF -DQWEN35_BUILD_BENCH=OFF -DQWEN35_BUILD_EXAMPLES=OFF
    cmake --build build/test --parallel "$jobs" --target test_session
    QWEN35_SOAK=100 build/test/bin/test_session '--source-file=*/session/heavy_use.cpp'
    ;;
  bench)
    install_missing bench
    announce "the library, the examples and the benches" 10
    configure release -DQWEN35_BUILD_TESTS=OFF -DQWEN35_BUILD_BENCH=ON
    cmake --build build/release --parallel "$jobs"
    for program in build/release/bin/bench_*; do
      [ -x "$program" ] || continue
      say "$program"
      "$program" "$@"
    done
    ;;
  *) wrong "unknown command \"$command\"" ;;
esac
