#!/usr/bin/env bash
# Tests what tests/gpu.sh makes of what the programs say, with scripts in their place.
set -Eeuo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d "${TMPDIR:-/tmp}/deconvoy-gpu-script.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
fail() { cat "$work/out" >&2; echo "tests/gpu_script.sh: $*" >&2; exit 1; }
program() { { echo '#!/bin/sh'; cat; } >"$work/bin/$1"; chmod +x "$work/bin/$1"; }
# check CODE ARGUMENTS...: runs it, and looks at its exit code and its JSON.
check() {
  local want=$1 code=0
  shift
  rm -f "$work/json"
  PATH=$work/bin:/usr/bin:/bin FAKE=$work tests/gpu.sh --json "$work/json" "$@" "$work/bin" >"$work/out" 2>&1 || code=$?
  [ $code -eq "$want" ] || fail "ends with $code, not $want"
  if [ "$want" -eq 2 ]; then return; fi
  /usr/bin/python3 - "$work/json" "$(tail -n 1 "$work/out")" <<'END' || fail "the JSON is wrong"
import json, sys
result = json.load(open(sys.argv[1]))
counts = {name: sum(check["status"] == name.upper() for check in result["checks"]) for name in ("passed", "failed", "skipped")}
assert len(result["checks"]) == 16 == len({check["name"] for check in result["checks"]}), result["checks"]
for name, count in counts.items():
    assert result[name] == count
assert sys.argv[2] == "{passed} passed, {failed} failed, {skipped} skipped".format(**counts), sys.argv[2]
END
}
says() { grep -qE "^$1 +$2 +.*$3" "$work/out" || fail "does not say $1 of $2: $3"; }

program deconvoyd <<<'echo "2026 critical NO_WORKER: \"nothing\" works" >&2; exit 3'
program deconvoy <<<'exit 4'
program deconvoy-bench <<'END'
echo '{'
echo '  "device": "Card",'
echo '  "iteration_seconds": [ 0.5, 0.25 ],'
echo '  "over_bytes": 1.49,'
echo '  "over_four_transforms": 1.26,'
echo '  "over_two_convolutions": 1.1,'
echo '  "seconds_per_iteration": 1e-3'
echo '}'
END

program deconvoy-worker <<<'if [ "$*" = "--devices --json" ]; then echo "{ \"accelerators\": [] }"; else echo "cuda    no device"; fi'
check 0 --quick
says SKIPPED contract "no device"
grep -qx '0 passed, 0 failed, 16 skipped' "$work/out" || fail "does not count what it skips"

program deconvoy-worker <<<'echo "deconvoy-worker: cudaGetDeviceCount failed" >&2; exit 1'
check 1 --quick
says FAILED contract "cudaGetDeviceCount failed"

program deconvoy-worker <<'END'
if [ "$*" = "--devices" ]; then echo "cuda 0  Card $CUDA_VISIBLE_DEVICES"; exit; fi
printf '{\n "accelerators": [\n'
[ -n "$CUDA_VISIBLE_DEVICES" ] || printf '  {\n   "index": 0,\n   "uuid": "GPU-one",\n   "memory_bytes": "8000000000"\n  },\n'
printf '  {\n   "index": 1,\n   "uuid": "GPU-two",\n   "memory_bytes": "1048576000"\n  }\n ]\n}\n'
END
program contract_backend_cuda_test <<<'echo "[  PASSED  ] 61 tests."'
program reference_cuda_test <<<'echo "[  FAILED  ] Methods.rl (3 ms)"; exit 1'
check 1 --quick --gpu 1
says PASSED contract "61 tests"
says FAILED methods "Methods.rl"
says FAILED end-to-end '"nothing" works'
says PASSED iteration-over-bytes "1.49 .* at most 1.5"
says FAILED iteration-over-transforms "1.26 .* at most 1.25"
says SKIPPED projected-volume "quick"
says SKIPPED large-domain "quick"
grep -q '"device": "cuda 0  Card GPU-two"' "$work/json" || fail "does not use the GPU that was asked for"
check 2 --quick --gpu 7
grep -q 'there is no GPU 7' "$work/out" || fail "does not say that there is no such GPU"
check 2 --swift
grep -q 'tests/gpu.sh \[--json FILE\]' "$work/out" || fail "does not say how it is used"

# Where there is a device, tests that cannot use it have failed, but those that need much of it.
program contract_backend_cuda_test <<'END'
[ -n "$DECONVOY_SEPARATE_ALLOCATIONS" ] && { echo "[  PASSED  ] 7 tests."; exit; }
case $* in
  *LargeDomain*) [ "$DECONVOY_LARGE_GPU" = 1 ] && echo "large.cc: Skipped: SKIPPED: it needs 28 GiB" ;;
  *) echo "suite.h: Skipped: SKIPPED: no kernel image" ;;
esac
echo "[  PASSED  ] 0 tests."
END
rm "$work/bin/reference_cuda_test"
# A server that lives until it is told to end, and holds the device's memory as long.
program deconvoyd <<'END'
trap 'rm -f "$FAKE/alive"; exit 0' TERM
touch "$FAKE/alive"
for tile in 1 2; do
  echo "info jobs/two/tasks/$tile (token $tile): tile t=0 c=0 at z=0 y=0 x=0 of 256x1024x2048 voxels, padded 280x1060x2058, method rl" >&2
done
while :; do sleep 0.1; done
END
program deconvoy <<'END'
[ -e "$FAKE/alive" ] || exit 4
echo "$*" >>"$FAKE/calls"
case $1 in
  workers) echo "workers/one  idle  node  cuda, 8 threads" ;;
  compare) case "$2 $3" in
    *again*) echo '{"nrmse":0,"relative_l2":0}' ;;
    *cpu*) echo '{"nrmse":5e-6,"relative_l2":2e-5}' ;;
    *raw*) echo '{"nrmse":0.5,"relative_l2":0.9}' ;;
    *) echo '{"nrmse":0.25,"relative_l2":0.4}' ;;
  esac ;;
  submit) echo '{"event":"submitted","job":{"name":"jobs/two"}}' ;;
  job) echo '{"end_time":"2026-01-01T00:00:10Z","psfs":[{"c":0,"centre":{"x":4,"y":4,"z":6},"crop_shape":{"x":9,"y":7,"z":11}}],"start_time":"2026-01-01T00:00:00Z"}' ;;
esac
END
program deconvoy-bench <<'END'
echo "$*" >>"$FAKE/calls"
if [ -e "$FAKE/alive" ]; then echo "OUT_OF_MEMORY: a server's worker has it" >&2; exit 1; fi
case $* in
  *--padded\ 280*) echo '{"seconds_per_iteration": 0.19}' ;;
  gpu-iteration*) echo '{"over_bytes": 1.2, "over_four_transforms": 1.1, "over_two_convolutions": 0.9, "seconds_per_iteration": 1e-2}' ;;
  gpu-tiles*) echo '{"over_iterations": 1.2, "projected_seconds": 300}' ;;
esac
END
program compute-sanitizer <<'END'
while [ "${1#--}" != "$1" ]; do
  [ "$1" = --tool ] && tool=$2
  case $1 in --tool | --target-processes | --error-exitcode) shift ;; esac
  shift
done
"$@"
case $tool in
  memcheck) echo "========= ERROR SUMMARY: 0 errors" ;;
  racecheck) echo "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)" ;;
  initcheck) echo "========= ERROR SUMMARY: 3 errors" ;;
esac
END
program python3 <<'END'
[ "$1" = -c ] || echo '{"seconds_per_iteration": 0.02, "peak_bytes": 2147483648, "bytes_per_padded_voxel": 16}'
END
check 1 --gpu 1
says FAILED contract "no kernel image"
says SKIPPED methods "reference_cuda_test is not here"
says SKIPPED large-domain "28 GiB"
says PASSED end-to-end "0.25 .* at most 0.5"
says PASSED same-bits "at most 0"
says FAILED gpu-against-cpu "2e-5 .* at most 1e-5"
says PASSED memcheck "0 errors"
says PASSED racecheck "0 hazards"
says FAILED initcheck "3 errors"
says PASSED iteration-over-transforms "1.1 .* at most 1.25"
says PASSED array-code "2 times"
says PASSED array-code-memory "768 MiB and 256"
says PASSED throughput "0.76 .* at least 0.75"
says PASSED tiles-at-once "1.2 "
says PASSED projected-volume "300 s"
[ ! -e "$work/alive" ] || fail "leaves its server"
grep -qe '--shape 256,1054,2048 --psf 11,7,9 --psf-kind symmetric' "$work/calls" || fail "times other tiles alone than those of the job"
grep -q 'submit .* --method rl ' "$work/calls" || fail "does not name the method"
grep -q 'gpu-tiles .* --memory-mib 800 ' "$work/calls" || fail "takes another device's memory"
echo "gpu.sh: says what the programs say"
