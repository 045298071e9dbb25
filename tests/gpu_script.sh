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
  PATH=/usr/bin:/bin tests/gpu.sh --quick --json "$work/json" "$@" "$work/bin" >"$work/out" 2>&1 || code=$?
  [ $code -eq "$want" ] || fail "ends with $code, not $want"
  if [ "$want" -eq 2 ]; then return; fi
  python3 - "$work/json" "$(tail -n 1 "$work/out")" <<'END' || fail "the JSON is wrong"
import json, sys
result = json.load(open(sys.argv[1]))
counts = {name: sum(check["status"] == name.upper() for check in result["checks"]) for name in ("passed", "failed", "skipped")}
assert len(result["checks"]) == 14 == len({check["name"] for check in result["checks"]}), result["checks"]
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
echo '  "over_two_convolutions": 1.26,'
echo '  "seconds_per_iteration": 1e-3'
echo '}'
END

program deconvoy-worker <<<'if [ "$*" = "--devices --json" ]; then echo "{ \"accelerators\": [] }"; else echo "cuda    no device"; fi'
check 0
says SKIPPED contract "no device"
grep -qx '0 passed, 0 failed, 14 skipped' "$work/out" || fail "does not count what it skips"

program deconvoy-worker <<<'echo "deconvoy-worker: cudaGetDeviceCount failed" >&2; exit 1'
check 1
says FAILED contract "cudaGetDeviceCount failed"

program deconvoy-worker <<'END'
if [ "$*" = "--devices" ]; then echo "cuda 0  Card $CUDA_VISIBLE_DEVICES"; exit; fi
printf '{\n "accelerators": [\n'
printf '  {\n   "index": 0,\n   "uuid": "GPU-one",\n   "memory_bytes": "8000000000"\n  },\n'
printf '  {\n   "index": 1,\n   "uuid": "GPU-two",\n   "memory_bytes": "8000000000"\n  }\n ]\n}\n'
END
program contract_backend_cuda_test <<<'echo "[  PASSED  ] 61 tests."'
program reference_cuda_test <<<'echo "[  FAILED  ] Methods.rl (3 ms)"; exit 1'
check 1 --gpu 1
says PASSED contract "61 tests"
says FAILED methods "Methods.rl"
says FAILED end-to-end '"nothing" works'
says PASSED iteration-over-bytes "1.49 .* at most 1.5"
says FAILED iteration-over-transforms "1.26 .* at most 1.25"
says SKIPPED projected-volume "quick"
grep -q '"device": "cuda 0  Card GPU-two"' "$work/json" || fail "does not use the GPU that was asked for"
check 2 --gpu 7
grep -q 'there is no GPU 7' "$work/out" || fail "does not say that there is no such GPU"
check 2 --swift
grep -q 'tests/gpu.sh \[--json FILE\]' "$work/out" || fail "does not say how it is used"
echo "gpu.sh: says what the programs say"
