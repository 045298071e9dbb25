#!/usr/bin/env bash
# Installs, builds and runs the tests. Safe to run again: goes on where it stopped.
#   tests/run.sh          everything that belongs to a change
#   tests/run.sh --long   also clang-tidy, sanitizers, fault loops and fuzzing; starts no part that would not end within
#                         $DECONVOY_LONG_MINUTES (default 120) on two cores, and says which were left out
set -Eeuo pipefail
cd "$(dirname "$0")/.."
long=false
case "${1:-}" in
  "") ;;
  --long) long=true ;;
  *) echo "usage: tests/run.sh [--long]" >&2; exit 2 ;;
esac
minutes=${DECONVOY_LONG_MINUTES:-120}
if ! [[ $minutes =~ ^[0-9]+$ ]]; then echo "tests/run.sh: DECONVOY_LONG_MINUTES is '$minutes', not a number of minutes" >&2; exit 2; fi
trap 'echo "tests/run.sh: stopped at line $LINENO: $BASH_COMMAND" >&2' ERR
trap 'echo "tests/run.sh: interrupted; run it again to go on" >&2; exit 130' INT TERM
left_out=() asan_built=false
export LSAN_OPTIONS=suppressions=$PWD/tests/support/lsan.supp:print_suppressions=0
rm -f build/*/ctest-*.log

# Runs tests of preset $1; $2 names the run; the rest are CTest's arguments.
run_tests() {
  echo "== $1: $2"
  ctest --test-dir "build/$1" --output-on-failure --no-tests=error "${@:3}" | tee "build/$1/ctest-$2.log"
}

build_and_test() {
  echo "== $1: build"
  deploy/build.sh "$1"
  run_tests "$1" tests -j 2 "${@:2}"
}

# The tests that start whole programs, under the sanitizer of preset $1, but for those that judge figures only. Sanitizers write to
# files: what they say of a private server or its worker would go down with its log. (What is undefined behaviour goes to standard
# error in any case, and ends the program.)
whole_programs() {
  local reports=$PWD/build/$1/reports failed=false
  rm -rf "$reports"
  mkdir -p "$reports"
  ASAN_OPTIONS=log_path=$reports/asan UBSAN_OPTIONS=print_stacktrace=1 \
    run_tests "$1" whole-programs -L whole-programs -LE long -E '_(parity|tiles)_test$' || failed=true
  if [ -n "$(ls "$reports")" ]; then
    head -n 100 "$reports"/* >&2
    echo "tests/run.sh: the sanitizers of preset $1 complain; all they say is in $reports" >&2
    failed=true
  fi
  ! $failed
}

# Whether a part of about $2 minutes ends in time; notes what is left out.
time_for() {
  if [ $((SECONDS / 60 + $2)) -le "$minutes" ]; then return 0; fi
  left_out+=("$1")
  return 1
}

echo "== packages"
deploy/install-packages.sh test

echo "== checks of the sources"
deploy/ci/verify-format
deploy/ci/verify-layering

build_and_test release -LE long
deploy/ci/verify-generated
tests/quickstart.sh
if ! $long; then exit 0; fi

if time_for "clang-tidy" 5; then DECONVOY_TIDY_MINUTES=${DECONVOY_TIDY_MINUTES:-4} deploy/ci/verify-tidy; fi
if time_for "address and undefined-behaviour sanitizers" 20; then
  build_and_test asan -LE 'long|whole-programs'
  asan_built=true
fi
if time_for "fault loops" 20; then
  run_tests release fault-loops -L long
  DECONVOY_PARTITION_SECONDS=30 run_tests release long-partition -R '^robustness_partition_test$'
fi
if time_for "thread sanitizer" 18; then
  # Some tests cannot be run with it: docs/decisions/0014-thread-sanitizer.md.
  build_and_test tsan -LE 'long|whole-programs|no-tsan'
fi
# The build, and each target for its time.
fuzz_seconds=120
fuzz_targets=(tests/fuzz/corpus/*)
if time_for "fuzzing" $((8 + (${#fuzz_targets[@]} * fuzz_seconds + 59) / 60)); then
  echo "== fuzzing"
  tests/fuzz/run.sh $fuzz_seconds
fi
if $asan_built && time_for "whole programs under the address sanitizer" 6; then whole_programs asan; fi
if [ ${#left_out[@]} -gt 0 ]; then printf '== left out for lack of time: %s\n' "${left_out[@]}"; fi
