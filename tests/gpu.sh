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
stop_server() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; fi
  server=""
}
# shellcheck disable=SC2317
finish() {
  stop_server
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

checks=(contract methods large-domain end-to-end same-bits gpu-against-cpu memcheck racecheck initcheck iteration-over-bytes
  iteration-over-transforms array-code array-code-memory throughput tiles-at-once projected-volume)
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
"$bin/deconvoy-worker" --devices --json >"$work/devices.json" 2>"$work/why"  # the chosen one alone
if [ -z "$CUDA_VISIBLE_DEVICES" ] || [ -z "$device" ]; then echo "tests/gpu.sh: there is no GPU $gpu; deconvoy-worker --devices lists them" >&2; exit 2; fi
echo "on $device"

# --- the contract of backends, and the methods ---
# tests NAME PROGRAM WITHOUT [ARGUMENTS]: a GoogleTest program. WITHOUT is what it is where all of its tests are skipped.
tests() {
  local name=$1 program=$2 without=$3 log=$work/$1.log count
  shift 3
  if [ ! -x "$bin/$program" ]; then tell "$name" SKIPPED "$program is not here"; return; fi
  if "$bin/$program" --gtest_brief=1 "$@" >"$log" 2>&1; then
    count=$(sed -nE 's/.*\[  PASSED  \] ([0-9]+) tests?.*/\1/p' "$log")
    if [ "${count:-0}" -gt 0 ]; then tell "$name" PASSED "$count tests"; else tell "$name" "$without" "$(grep -m 1 SKIPPED "$log" || echo "no test ran")"; fi
  else
    tell "$name" FAILED "$(grep -m 1 -E 'FAILED|rror' "$log" || tail -n 1 "$log")"
  fi
}
tests contract contract_backend_cuda_test FAILED
tests methods reference_cuda_test FAILED
if $quick; then
  tell large-domain SKIPPED "left out by --quick"
else
  DECONVOY_LARGE_GPU=1 tests large-domain contract_backend_cuda_test SKIPPED --gtest_filter='CudaLargeDomain*'
fi

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
      judge gpu-against-cpu "$(field "$work/both.json" relative_l2)" at-most 1e-5 "relative L2 after 20 iterations"
    else
      tell gpu-against-cpu FAILED "$(tail -n 1 "$work/run.log")"
    fi
  else
    for name in end-to-end same-bits gpu-against-cpu; do tell "$name" FAILED "$(tail -n 1 "$work/run.log")"; done
  fi
fi

# --- a large volume through the server; judged where the iterations alone are timed ---
throughput_seconds="" throughput_tiles=0 throughput_padded="" throughput_psf="" throughput_why="no worker on the GPU came"
# extents FILE NAME: the numbers of an object {"x":..., "y":..., "z":...} as Z Y X.
extents() {
  local object
  object=$(tr -d '\n' <"$1" | sed -nE 's/.*"'"$2"'" ?: ?\{([^}]*)\}.*/\1/p' | tr ',' '\n')
  for axis in z y x; do sed -nE 's/.*"'$axis'" ?: ?"?([0-9]+)"?.*/\1/p' <<<"$object" | head -n 1; done | tr '\n' ' '
}
serve_large() {
  submit() {
    deconvoy submit "$work/large/raw.ome.tif" --psf "$work/large/psf.ome.tif" --method rl --iterations 20 --background 10 --backend cuda \
      --set acceleration=none --json >"$work/submit.json" 2>"$work/why" &&
      job=$(sed -nE 's/.*"name" ?: ?"(jobs\/[^"]*)".*/\1/p' "$work/submit.json" | head -n 1) && deconvoy watch "$job" >/dev/null 2>>"$work/why"
  }
  time_of() { date -d "$(tr ',' '\n' <"$work/job.json" | sed -nE 's/.*"'"$1"'" ?: ?"([^"]*)".*/\1/p' | head -n 1)" +%s.%N; }
  local job
  # The second one finds image and PSF on the server, and plans at hand.
  deconvoy simulate -o "$work/large" --shape 256,2048,2048 --kind points --seed 3 >/dev/null 2>"$work/why" && submit && submit &&
    deconvoy job "$job" --json >"$work/job.json" 2>>"$work/why" || return 1
  throughput_seconds=$(awk -v from="$(time_of start_time)" -v to="$(time_of end_time)" 'BEGIN {print to - from}')
  if ! grep -q '"start_time"' "$work/job.json" || ! grep -q '"end_time"' "$work/job.json" ||
    ! awk "BEGIN {exit !($throughput_seconds > 0)}"; then
    echo "the job does not tell its times" >"$work/why"
    return 1
  fi
  throughput_tiles=$(grep -c "$job/tasks/.*: tile " "$work/server.log")
  throughput_padded=$(sed -nE "s|.*$job/tasks/.*: tile .* padded ([0-9]+)x([0-9]+)x([0-9]+),.*|\1 \2 \3|p" "$work/server.log" | head -n 1)
  throughput_psf=$(extents "$work/job.json" crop_shape)
  if [ "$throughput_tiles" -eq 0 ] || [ -z "$throughput_padded" ] || [ "$(wc -w <<<"$throughput_psf")" -ne 3 ]; then
    echo "neither the job nor the server's log tells its tiles and its PSF" >"$work/why"
    return 1
  fi
}
if $served && ! $quick; then
  throughput_why=""
  serve_large || throughput_why=$(tail -n 1 "$work/why")
fi
# Its worker holds the device's memory.
stop_server

# --- compute-sanitizer, on a small part of the contract, with an allocation for each array ---
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null || true)
program=$bin/contract_backend_cuda_test
for tool in memcheck racecheck initcheck; do
  if [ -z "$sanitizer" ]; then tell $tool SKIPPED "there is no compute-sanitizer; it comes with the CUDA toolkit"; continue; fi
  if [ ! -x "$program" ]; then tell $tool SKIPPED "contract_backend_cuda_test is not here"; continue; fi
  if DECONVOY_SEPARATE_ALLOCATIONS=1 "$sanitizer" --tool $tool --target-processes all --error-exitcode 9 "$program" --gtest_brief=1 \
    --gtest_filter='*Ratio*:*Update*:*Staging*:*Finishing*:*Wavelet*:*Roughness*:*Split*:*Reduce*:*Neighbour*' >"$work/$tool.log" 2>&1 &&
    grep -qE '\[  PASSED  \] [1-9]' "$work/$tool.log" && grep -qE 'SUMMARY: 0 (errors|hazards)' "$work/$tool.log"; then
    tell $tool PASSED "$(grep -m 1 -E '(ERROR|RACECHECK) SUMMARY' "$work/$tool.log" | sed 's/=* *//')"
  else
    tell $tool FAILED "$(grep -m 1 -E '========= (Invalid|Race|Uninit|RACECHECK|ERROR|Error)' "$work/$tool.log" || tail -n 1 "$work/$tool.log")"
  fi
done

# --- speed ---
bench() { "$bin/deconvoy-bench" "$@" --backend cuda --json - 2>"$work/why"; }
iterated=false
if bench gpu-iteration --shape 482,482,482 --psf 31,31,31 --padded 512,512,512 >"$work/iteration.json"; then
  figures=$(tr -d '\n' <"$work/iteration.json")
  iterated=true
  judge iteration-over-bytes "$(field "$work/iteration.json" over_bytes)" at-most 1.5 "of its bytes at the measured copy rate" "$figures"
  judge iteration-over-transforms "$(field "$work/iteration.json" over_four_transforms)" at-most 1.25 "of four transforms of cuFFT alone"
else
  tell iteration-over-bytes FAILED "$(head -n 1 "$work/why")"
  tell iteration-over-transforms FAILED "$(head -n 1 "$work/why")"
fi

# The same rl as plain array code, where PyTorch is there.
if command -v python3 >/dev/null && python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
  if python3 "$here/gpu_array_code.py" 512 31 20 >"$work/array.json" 2>"$work/why" && $iterated; then
    ours=$(field "$work/iteration.json" seconds_per_iteration) theirs=$(field "$work/array.json" seconds_per_iteration)
    judge array-code "$(awk "BEGIN {print $theirs / $ours}")" at-least 1.8 "times faster than PyTorch" "$(tr -d '\n' <"$work/array.json")"
    # Once more in half of its memory, less what our operations take beside what they are given.
    memory=$(awk "BEGIN {printf \"%d\", $(field "$work/array.json" peak_bytes) / 2 / 1048576 - 256}")
    half="in half of the $(awk "BEGIN {printf \"%d\", $(field "$work/array.json" peak_bytes) / 1048576}") MiB of PyTorch"
    if [ "$memory" -lt 1 ]; then
      tell array-code-memory FAILED "$half there is no room beside our workspace"
    elif bench gpu-iteration --shape 482,482,482 --psf 31,31,31 --padded 512,512,512 --acceleration none --memory-mib "$memory" >"$work/half.json"; then
      tell array-code-memory PASSED "$half: $memory MiB and 256 of workspace" "$(tr -d '\n' <"$work/half.json")"
    else
      tell array-code-memory FAILED "$half: $(head -n 1 "$work/why")"
    fi
  else
    for name in array-code array-code-memory; do tell $name FAILED "$(head -n 1 "$work/why")"; done
  fi
else
  for name in array-code array-code-memory; do tell $name SKIPPED "there is no python3 with torch and CUDA"; done
fi

if $quick; then
  for name in throughput tiles-at-once projected-volume; do tell $name SKIPPED "left out by --quick"; done
else
  # What the iterations of those tiles alone take: as many of that size and PSF, nothing but iterated.
  if [ -n "$throughput_why" ]; then
    tell throughput FAILED "$throughput_why"
  else
    measured() { echo $(($1 - $2 + 1 < $3 ? $1 - $2 + 1 : $3)); }  # of a tile: padded, PSF, the volume
    read -r z y x <<<"$throughput_padded"
    read -r psf_z psf_y psf_x <<<"$throughput_psf"
    if bench gpu-iteration --padded "$z,$y,$x" --shape "$(measured "$z" "$psf_z" 256),$(measured "$y" "$psf_y" 2048),$(measured "$x" "$psf_x" 2048)" \
      --psf "$psf_z,$psf_y,$psf_x" --psf-kind symmetric --acceleration none >"$work/alone.json"; then
      alone=$(awk "BEGIN {print 20 * $throughput_tiles * $(field "$work/alone.json" seconds_per_iteration)}")
      judge throughput "$(awk "BEGIN {print $alone / $throughput_seconds}")" at-least 0.75 "of the rate of the iterations alone, spool to spool" \
        "{\"seconds\": $throughput_seconds, \"iterations_alone_seconds\": $alone, \"tiles\": $throughput_tiles, \"padded\": \"$throughput_padded\", \"psf\": \"${throughput_psf% }\"}"
    else
      tell throughput FAILED "$(head -n 1 "$work/why")"
    fi
  fi
  # A tenth of the device's memory stays free, as a worker leaves it, and on small ones what plans and kernels take.
  memory=$(awk "BEGIN {printf \"%d\", 0.8 * $(field "$work/devices.json" memory_bytes) / 1048576}")
  if bench gpu-tiles --volume 2850,7226,6370 --psf 61,41,41 --iterations 15 --tiles 3 --memory-mib "$memory" >"$work/tiles.json"; then
    judge tiles-at-once "$(field "$work/tiles.json" over_iterations)" at-most 1.33 "of what the iterations of a tile take alone, loading and unloading beside"
    judge projected-volume "$(field "$work/tiles.json" projected_seconds)" at-most 600 "s for 6370x7226x2850, 15 iterations, projected" "$(tr -d '\n' <"$work/tiles.json")"
  else
    for name in tiles-at-once projected-volume; do tell $name FAILED "$(head -n 1 "$work/why")"; done
  fi
fi

report
[ $failed -eq 0 ]
