#!/usr/bin/env bash
# Runs the README's first command, twice, into a folder of its own, and looks at what it leaves there.
set -Eeuo pipefail
cd "$(dirname "$0")/.."
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
fail() { cat "$results/log" >&2; echo "tests/quickstart.sh: $*" >&2; exit 1; }

# The figure called nrmse of file $1 against the truth.
nrmse() { build/release/bin/deconvoy compare "$results/$1" "$results/truth.ome.tif" --json | sed -E 's/.*"nrmse":([0-9.e-]+).*/\1/'; }

for time in first second; do
  deploy/quickstart.sh "$results" >"$results/log" 2>&1 || fail "deploy/quickstart.sh failed the $time time"
  grep -qE 'deconvolve.* [0-9]+ %' "$results/log" || fail "no progress was shown the $time time"
  [ "$(head -c 4 "$results/picture.png" | tail -c 3)" = PNG ] || fail "picture.png is no PNG"
  raw=$(nrmse raw.ome.tif) deconvolved=$(nrmse deconvolved.ome.tif)
  awk -v a="$deconvolved" -v b="$raw" 'BEGIN {exit !(a + 0 > 0 && a < b)}' ||
    fail "the result (nrmse $deconvolved) is not nearer to the truth than the raw image (nrmse $raw)"
done
echo "quickstart: fine, also the second time; nrmse $raw before, $deconvolved after"
