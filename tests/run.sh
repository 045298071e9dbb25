#!/usr/bin/env bash
# Installs, builds and runs the tests. Safe to run again.
#   tests/run.sh          everything that belongs to a change
#   tests/run.sh --long   also sanitizers, fuzzing and fault loops; stops starting new parts after $DECONVOY_LONG_MINUTES
#                         (default 60) and says which were left out
set -Eeuo pipefail
cd "$(dirname "$0")/.."
long=false
case "${1:-}" in
  "") ;;
  --long) long=true ;;
  *) echo "usage: tests/run.sh [--long]" >&2; exit 2 ;;
esac
trap 'echo "tests/run.sh: stopped at line $LINENO: $BASH_COMMAND" >&2' ERR
started=$SECONDS
minutes=${DECONVOY_LONG_MINUTES:-60}
left_out=()

# Builds a preset and runs its tests but for those with the labels in $2.
build_and_test() {
  local preset=$1 without=$2
  echo "== $preset: build"
  cmake --preset "$preset" >"build-$preset.log" 2>&1 || { cat "build-$preset.log" >&2; rm -f "build-$preset.log"; return 1; }
  rm -f "build-$preset.log"
  cmake --build --preset "$preset"
  echo "== $preset: tests"
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j 2 ${without:+-LE "$without"} | tee "build/$preset/ctest.log"
}

# Whether there is time for another part of about $2 minutes; notes what is left out.
time_for() {
  if [ $(((SECONDS - started) / 60 + $2)) -le "$minutes" ]; then return 0; fi
  left_out+=("$1")
  return 1
}

echo "== packages"
deploy/install-packages.sh test

echo "== checks of the sources"
deploy/ci/verify-format
deploy/ci/verify-layering

build_and_test release long
deploy/ci/verify-generated
if ! $long; then exit 0; fi

deploy/ci/verify-tidy
if time_for "fault loops" 3; then
  echo "== fault loops"
  ctest --test-dir build/release --output-on-failure -L long
fi
if time_for "fuzzing" 6; then
  echo "== fuzzing"
  tests/fuzz/run.sh 20
fi
if time_for "address and undefined-behaviour sanitizers" 20; then build_and_test asan "long|whole-programs"; fi
if time_for "thread sanitizer" 20; then build_and_test tsan "long|whole-programs"; fi
if [ ${#left_out[@]} -gt 0 ]; then printf '== left out for lack of time: %s\n' "${left_out[@]}"; fi
