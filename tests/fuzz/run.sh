#!/usr/bin/env bash
# Builds the fuzz targets with clang and fuzzes them.
#   tests/fuzz/run.sh SECONDS [TARGET...]    each target (all by default) with a million inputs, for SECONDS at most
#   tests/fuzz/run.sh --merge [TARGET...]    takes what was learned into tests/fuzz/corpus: of inputs of 4 KiB at most, as
#                                            many as reach something new there, the smallest first, up to 64 KiB for each
#                                            target
# What is learned is kept in build/fuzz/corpus, finds go to build/fuzz/finds; ends with 1 when there is one.
set -Eeuo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-}
if ! [[ $seconds =~ ^([1-9][0-9]*|--merge)$ ]]; then echo "usage: tests/fuzz/run.sh SECONDS|--merge [TARGET...]" >&2; exit 2; fi
shift
input_bytes=4096 target_bytes=65536
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  mapfile -t targets < <(ls tests/fuzz/corpus)
fi

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target fuzz_targets

# Takes what target $1 has learned into its corpus.
merge() {
  local learned=build/fuzz/corpus/$1 corpus=tests/fuzz/corpus/$1 merged=build/fuzz/merged/$1 bytes=0 taken=0 size file
  mkdir -p "$learned"
  rm -rf "$merged"
  mkdir -p "$merged/small" "$merged/new"
  find "$learned" -type f -size -$((input_bytes + 1))c -exec cp -t "$merged/small" {} +
  # What the corpus reaches already comes first, so that only what adds to it is left in $merged/new.
  cp "$corpus"/* "$merged/new"
  "build/fuzz/bin/fuzz_$1" -merge=1 -timeout=10 -rss_limit_mb=2048 "$merged/new" "$merged/small" >"$merged/log" 2>&1 ||
    { tail -n 60 "$merged/log" >&2; return 1; }
  for file in "$corpus"/*; do rm -f "$merged/new/${file##*/}"; done
  while read -r size file; do
    if [ $((bytes + size)) -gt $target_bytes ]; then break; fi
    cp "$file" "$corpus"
    bytes=$((bytes + size)) taken=$((taken + 1))
  done < <(find "$merged/new" -type f -printf '%s %p\n' | sort -n)
  echo "$1: took $taken inputs, $bytes bytes"
}

if [ "$seconds" = --merge ]; then
  for target in "${targets[@]}"; do merge "$target"; done
  exit 0
fi

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
