#!/usr/bin/env bash
# The whole check of the GPU backend in one call, from a bundle (deploy/bundle.sh) or a build tree. Needs bash, awk and the driver; nothing
# else should run on the GPU.
#   tests/gpu.sh [--json FILE] [--quick] [--gpu INDEX|UUID] [BIN]
# BIN holds the programs: by default ../bin (a bundle), else build/cuda/bin or build/release/bin. --quick leaves out what is timed at full size. Every check is told
# as it ends, with PASSED, FAILED or SKIPPED and why; --json writes them, with figures, device and date. Exit code: 0 nothing failed, 1 something
# did, 2 wrong command line.
set -Euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
json="" quick=false gpu=0 bin=""
usage() { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
    --json) json=${2:-}; [ -n "$json" ] || usage; shift ;;
    --gpu) gpu=${2:-}; [ -n "$gpu" ] || usage; shift ;;
    --quick) quick=true ;;
    -*) usage ;;
    *) [ -z "$bin" ] || usage; bin=$1 ;;
  esac
  shift
done
if [ -z "$bin" ]; then
  bin=$here/../bin
  [ -x "$bin/deconvoyd" ] || bin=$here/../build/cuda/bin
  [ -x "$bin/deconvoyd" ] || bin=$here/../build/release/bin
fi
if [ ! -x "$bin/deconvoyd" ]; then echo "tests/gpu.sh: there are no programs in $bin; run deploy/build.sh cuda, or name their folder" >&2; exit 2; fi
bin=$(cd "$bin" && pwd)
if [ -n "$json" ] && ! : >"$json"; then echo "tests/gpu.sh: cannot write $json" >&2; exit 2; fi

work=$(mktemp -d "${TMPDIR:-/tmp}/deconvoy-gpu.XXXXXX")
server=""
# shellcheck disable=SC2317
finish() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; fi
  rm -rf "$work"
}
trap finish EXIT
trap 'echo "tests/gpu.sh: interrupted" >&2; exit 130' INT TERM

passed=0 failed=0 skipped=0 rows=""
text() { tr -d '\000-\037' <<<"$1" | sed 's/\\/\\\\/g; s/"/\\"/g'; }
# tell NAME STATUS DETAIL [FIGURES]: FIGURES is a JSON object.
tell() {
  case $2 in PASSED) passed=$((passed + 1)) ;; FAILED) failed=$((failed + 1)) ;; SKIPPED) skipped=$((skipped + 1)) ;; esac
  printf '%-8s %-28s %s\n' "$2" "$1" "$3"
  rows+="${rows:+,}"$'\n'"    {\"name\": \"$1\", \"status\": \"$2\", \"detail\": \"$(text "$3")\"${4:+, \"figures\": $4}}"
}
# field FILE NAME: a number of a JSON object with a line for each field, or all in one line.
field() { sed -nE 's/.*"'"$2"'" ?: ?"?(-?[0-9][0-9.eE+-]*)"?.*/\1/p' "$1" | head -n 1; }
# judge NAME VALUE at-most|at-least BOUND UNIT [FIGURES]
judge() {
  local verdict=FAILED
  if [ -n "$2" ] && awk "BEGIN {exit !($2 $([ "$3" = at-most ] && echo '<=' || echo '>=') $4)}"; then verdict=PASSED; fi
  tell "$1" "$verdict" "${2:-no figure} $5, bound ${3/-/ } $4" "${6:-}"
}

checks=(contract methods end-to-end same-bits gpu-against-cpu memcheck racecheck initcheck iteration-over-bytes iteration-over-transforms
  array-code throughput tiles-at-once projected-volume)
report() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ -n "$json" ] || return 0
  {
    printf '{\n  "date": "%s",\n  "host": "%s",\n  "device": "%s",\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(text "$(uname -n)")" "$(text "$device")"
    printf '  "passed": %d, "failed": %d, "skipped": %d,\n  "checks": [%s\n  ]\n}\n' $passed $failed $skipped "$rows"
  } >"$json"
}
skip_all() { for name in "${checks[@]}"; do tell "$name" SKIPPED "$1"; done; report; exit 0; }

# --- the device ---
device=none
if ! "$bin/deconvoy-worker" --devices --json >"$work/devices.json" 2>"$work/why"; then
  for name in "${checks[@]}"; do tell "$name" FAILED "the worker program cannot tell the devices: $(head -n 1 "$work/why")"; done
  report
  exit 1
fi
if ! grep -q '"uuid"' "$work/devices.json"; then skip_all "no GPU: $("$bin/deconvoy-worker" --devices | grep '^cuda' | head -n 1)"; fi
case $gpu in
  *-*) export CUDA_VISIBLE_DEVICES=$gpu ;;
  *) CUDA_VISIBLE_DEVICES=$(awk -v want="$gpu" -F'"' '/"index":/ {gsub(/[^0-9]/, "", $3); at = $3} /"uuid":/ {if (at == want) print $4}' "$work/devices.json")
     export CUDA_VISIBLE_DEVICES ;;
esac
device=$("$bin/deconvoy-worker" --devices | grep '^cuda' | head -n 1)
if [ -z "$CUDA_VISIBLE_DEVICES" ] || [ -z "$device" ]; then echo "tests/gpu.sh: there is no GPU $gpu; deconvoy-worker --devices lists them" >&2; exit 2; fi
echo "on $device"

# --- the contract of backends, and the methods ---
# tests NAME PROGRAM [ARGUMENTS]: a GoogleTest program.
tests() {
  local name=$1 program=$2 log=$work/$1.log count
  shift 2
  if [ ! -x "$bin/$program" ]; then tell "$name" SKIPPED "$program is not here"; return; fi
  if "$bin/$program" --gtest_brief=1 "$@" >"$log" 2>&1; then
    count=$(sed -nE 's/.*\[  PASSED  \] ([0-9]+) tests?.*/\1/p' "$log")
    if [ "${count:-0}" -gt 0 ]; then tell "$name" PASSED "$count tests"; else tell "$name" SKIPPED "$(grep -m 1 SKIPPED "$log" || echo "no test ran")"; fi
  else
    tell "$name" FAILED "$(grep -m 1 -E 'FAILED|rror' "$log" || tail -n 1 "$log")"
  fi
}
tests contract contract_backend_cuda_test
tests methods reference_cuda_test

# --- end to end, through a server with a worker on the GPU and one on the processors ---
address=unix:$work/socket
"$bin/deconvoyd" --state "$work/state" --listen "$address" --workers 1 --gpus 0 --log-level info >"$work/server.log" 2>&1 &
server=$!
deconvoy() { "$bin/deconvoy" "$@" --server "$address"; }
compare() { "$bin/deconvoy" compare "$@" --json; }
for ((i = 0; i < 300; ++i)); do
  if deconvoy workers 2>/dev/null | grep -q ' cuda'; then break; fi
  if ! kill -0 "$server" 2>/dev/null; then break; fi
  sleep 0.2
done
if ! deconvoy workers 2>/dev/null | grep -q ' cuda'; then
  why="no worker on the GPU came: $(grep -m 1 -iE 'error|critical|warn' "$work/server.log" || tail -n 1 "$work/server.log")"
  for name in end-to-end same-bits gpu-against-cpu; do tell "$name" FAILED "$why"; done
  served=false
else
  served=true
  # run OUTPUT BACKEND: 20 iterations of rl in several tiles.
  run() {
    deconvoy run "$work/specimen/raw.ome.tif" --psf "$work/specimen/psf.ome.tif" -o "$work/$1" --method rl --iterations 20 --offset 100 \
      --background 10 --tile 48,96,96 --dtype f32 --backend "$2" >"$work/run.log" 2>&1
  }
  if deconvoy simulate -o "$work/specimen" --shape 48,192,192 --kind mixed --seed 7 --photons 400 --background 10 --offset 100 >"$work/run.log" 2>&1 &&
    run gpu.ome.tif cuda; then
    compare "$work/specimen/raw.ome.tif" "$work/specimen/truth.ome.tif" >"$work/raw.json"
    compare "$work/gpu.ome.tif" "$work/specimen/truth.ome.tif" >"$work/gpu.json"
    judge end-to-end "$(field "$work/gpu.json" nrmse)" at-most "$(field "$work/raw.json" nrmse)" "nrmse to the truth, raw image the bound"
    if run again.ome.tif cuda; then
      compare "$work/gpu.ome.tif" "$work/again.ome.tif" >"$work/same.json"
      judge same-bits "$(field "$work/same.json" nrmse)" at-most 0 "nrmse between two runs"
    else
      tell same-bits FAILED "$(tail -n 1 "$work/run.log")"
    fi
    if run cpu.ome.tif cpu; then
      compare "$work/gpu.ome.tif" "$work/cpu.ome.tif" >"$work/both.json"
      judge gpu-against-cpu "$(field "$work/both.json" nrmse)" at-most 1e-5 "relative L2 after 20 iterations"
    else
      tell gpu-against-cpu FAILED "$(tail -n 1 "$work/run.log")"
    fi
  else
    for name in end-to-end same-bits gpu-against-cpu; do tell "$name" FAILED "$(tail -n 1 "$work/run.log")"; done
  fi
fi

# --- compute-sanitizer, on a small part of the contract ---
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null || true)
program=$bin/contract_backend_cuda_test
for tool in memcheck racecheck initcheck; do
  if [ -z "$sanitizer" ]; then tell $tool SKIPPED "there is no compute-sanitizer; it comes with the CUDA toolkit"; continue; fi
  if [ ! -x "$program" ]; then tell $tool SKIPPED "contract_backend_cuda_test is not here"; continue; fi
  if "$sanitizer" --tool $tool --target-processes all --error-exitcode 9 "$program" --gtest_brief=1 \
    --gtest_filter='*Ratio*:*Update*:*Staging*:*Finishing*:*Wavelet*:*Roughness*:*Split*:*Reduce*:*Neighbour*' >"$work/$tool.log" 2>&1 &&
    grep -qE '\[  PASSED  \] [1-9]' "$work/$tool.log"; then
    tell $tool PASSED "$(grep -m 1 -E '(ERROR|RACECHECK) SUMMARY' "$work/$tool.log" | sed 's/=* *//')"
  else
    tell $tool FAILED "$(grep -m 1 -E '========= (Invalid|Race|Uninit|ERROR|Error)' "$work/$tool.log" || tail -n 1 "$work/$tool.log")"
  fi
done

# --- speed ---
bench() { "$bin/deconvoy-bench" "$@" --backend cuda --json - 2>"$work/why"; }
iterated=false
if bench gpu-iteration --shape 482,482,482 --psf 31,31,31 --padded 512,512,512 >"$work/iteration.json"; then
  figures=$(tr -d '\n' <"$work/iteration.json")
  iterated=true
  judge iteration-over-bytes "$(field "$work/iteration.json" over_bytes)" at-most 1.5 "of its bytes at the measured copy rate" "$figures"
  judge iteration-over-transforms "$(field "$work/iteration.json" over_two_convolutions)" at-most 1.25 "of two bare convolutions (four transforms)"
else
  tell iteration-over-bytes FAILED "$(head -n 1 "$work/why")"
  tell iteration-over-transforms FAILED "$(head -n 1 "$work/why")"
fi

# The same rl as plain array code, where PyTorch is there.
if command -v python3 >/dev/null && python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
  if python3 "$here/gpu_array_code.py" 512 31 20 >"$work/array.json" 2>"$work/why" && $iterated; then
    ours=$(field "$work/iteration.json" seconds_per_iteration) theirs=$(field "$work/array.json" seconds_per_iteration)
    judge array-code "$(awk "BEGIN {print $theirs / $ours}")" at-least 1.8 "times faster than PyTorch" "$(tr -d '\n' <"$work/array.json")"
  else
    tell array-code FAILED "$(head -n 1 "$work/why")"
  fi
else
  tell array-code SKIPPED "there is no python3 with torch and CUDA"
fi

if $quick; then
  for name in throughput tiles-at-once projected-volume; do tell $name SKIPPED "left out by --quick"; done
else
  if $served && deconvoy simulate -o "$work/large" --shape 256,2048,2048 --kind points --seed 3 >"$work/run.log" 2>&1; then
    submit() {
      deconvoy submit "$work/large/raw.ome.tif" --psf "$work/large/psf.ome.tif" --iterations 20 --background 10 --backend cuda \
        --set acceleration=none --json >"$work/submit.json" 2>"$work/why"
    }
    # The second one finds image and PSF on the server, and plans at hand.
    if submit && job=$(sed -nE 's/.*"name" ?: ?"(jobs\/[^"]*)".*/\1/p' "$work/submit.json" | head -n 1) && deconvoy watch "$job" >/dev/null 2>&1 &&
      submit && job=$(sed -nE 's/.*"name" ?: ?"(jobs\/[^"]*)".*/\1/p' "$work/submit.json" | head -n 1) && deconvoy watch "$job" >/dev/null 2>&1; then
      deconvoy job "$job" --json | tr ',' '\n' >"$work/job.json"
      seconds=$(awk -v from="$(date -d "$(sed -nE 's/.*"start_time" ?: ?"([^"]*)".*/\1/p' "$work/job.json" | head -n 1)" +%s.%N)" \
        -v to="$(date -d "$(sed -nE 's/.*"end_time" ?: ?"([^"]*)".*/\1/p' "$work/job.json" | head -n 1)" +%s.%N)" 'BEGIN {print to - from}')
      # What its iterations alone take: as many tiles of that size, nothing but iterated.
      tiles=$(grep -c "$job/tasks/.*: tile " "$work/server.log")
      padded=$(sed -nE "s|.*$job/tasks/.*: tile .* padded ([0-9]+)x([0-9]+)x([0-9]+),.*|\1 \2 \3|p" "$work/server.log" | head -n 1)
      read -r z y x <<<"${padded:-0 0 0}"
      if [ "$tiles" -gt 0 ] && bench gpu-iteration --padded "$z,$y,$x" --shape "$((z > 30 ? z - 30 : 1)),$((y - 30)),$((x - 30))" \
        --psf "$((z > 30 ? 31 : 1)),31,31" --acceleration none >"$work/alone.json"; then
        alone=$(awk "BEGIN {print 20 * $tiles * $(field "$work/alone.json" seconds_per_iteration)}")
        judge throughput "$(awk "BEGIN {print $alone / $seconds}")" at-least 0.75 "of the rate of the iterations alone, spool to spool" \
          "{\"seconds\": $seconds, \"iterations_alone_seconds\": $alone, \"tiles\": $tiles, \"padded\": \"$padded\"}"
      else
        tell throughput FAILED "$(head -n 1 "$work/why")"
      fi
    else
      tell throughput FAILED "$(tail -n 1 "$work/why")"
    fi
  else
    tell throughput FAILED "$(tail -n 1 "$work/run.log" 2>/dev/null)"
  fi
  # A tenth of the device's memory stays free, as a worker leaves it.
  memory=$(awk "BEGIN {printf \"%d\", 0.85 * $(field "$work/devices.json" memory_bytes) / 1048576}")
  if bench gpu-tiles --volume 2850,7226,6370 --psf 61,41,41 --iterations 15 --tiles 3 --memory-mib "$memory" >"$work/tiles.json"; then
    judge tiles-at-once "$(field "$work/tiles.json" over_iterations)" at-most 1.33 "of what the iterations of a tile take alone, loading and unloading beside"
    judge projected-volume "$(field "$work/tiles.json" projected_seconds)" at-most 600 "s for 6370x7226x2850, 15 iterations, projected" "$(tr -d '\n' <"$work/tiles.json")"
  else
    for name in tiles-at-once projected-volume; do tell $name FAILED "$(head -n 1 "$work/why")"; done
  fi
fi

report
[ $failed -eq 0 ]
