#!/usr/bin/env bash
# Builds the fuzz targets with clang and fuzzes them.
#   tests/fuzz/run.sh SECONDS [TARGET...]    each target (all by default) with a million inputs, for SECONDS at most
# What is learned is kept in build/fuzz/corpus, finds go to build/fuzz/finds; ends with 1 when there is one.
set -Eeuo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-}
if ! [[ $seconds =~ ^[1-9][0-9]*$ ]]; then echo "usage: tests/fuzz/run.sh SECONDS [TARGET...]" >&2; exit 2; fi
shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  mapfile -t targets < <(ls tests/fuzz/corpus)
fi

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target fuzz_targets

status=0
for target in "${targets[@]}"; do
  learned=build/fuzz/corpus/$target finds=build/fuzz/finds/$target
  mkdir -p "$learned" "$finds"
  echo "== fuzz $target for $seconds s at most"
  if ! "build/fuzz/bin/fuzz_$target" -runs=1000000 -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
      -print_final_stats=1 -artifact_prefix="$finds/" "$learned" "tests/fuzz/corpus/$target" >"$finds/log" 2>&1; then
    tail -n 60 "$finds/log" >&2
    echo "fuzz $target: a find in $finds. Run build/fuzz/bin/fuzz_$target on it, mend the code, and add the file to" \
         "tests/fuzz/corpus/$target." >&2
    status=1
  else
    grep -E '^stat::(number_of_executed_units|new_units_added|peak_rss_mb)' "$finds/log"
  fi
done
exit $status
