#!/usr/bin/env bash
# Runs the README's first command, twice, into a folder of its own, and looks at what it leaves there.
set -Eeuo pipefail
cd "$(dirname "$0")/.."
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
fail() { cat "$results/log" >&2; echo "tests/quickstart.sh: $*" >&2; exit 1; }

# The figure called $2 of file $1 against the truth.
figure() { build/release/bin/deconvoy compare "$results/$1" "$results/truth.ome.tif" --json | sed -E "s/.*\"$2\":([0-9.e-]+).*/\1/"; }

# Fails unless file $1 is nearer to the truth than the raw image, and more like it, whatever its scale.
check() {
  local before after
  before=$(figure raw.ome.tif nrmse) after=$(figure "$1" nrmse)
  awk -v a="$after" -v b="$before" 'BEGIN {exit !(a + 0 > 0 && a < b)}' ||
    fail "$1 (nrmse $after) is not nearer to the truth than the raw image (nrmse $before)"
  told+=", nrmse $after of $1"
  before=$(figure raw.ome.tif ncc) after=$(figure "$1" ncc)
  awk -v a="$after" -v b="$before" 'BEGIN {exit !(b + 0 > 0 && a > b)}' ||
    fail "$1 (ncc $after) is not more like the truth than the raw image (ncc $before)"
}

for time in first second; do
  deploy/quickstart.sh "$results" >"$results/log" 2>&1 || fail "deploy/quickstart.sh failed the $time time"
  grep -qE 'deconvolve.* [0-9]+ %' "$results/log" || fail "no progress was shown the $time time"
  [ "$(head -c 4 "$results/picture.png" | tail -c 3)" = PNG ] || fail "picture.png is no PNG"
  told="nrmse $(figure raw.ome.tif nrmse) before"
  check deconvolved.ome.tif
  if reason=$(grep '^no network: .' "$results/log"); then
    [ ! -e "$results/network.ome.tif" ] || fail "there is a result of a network, although: $reason"
    told+=", $reason"
  else
    check network.ome.tif
    if grep -qF 'ANOTHER PSF' "$results/log"; then fail "the network was trained for another PSF"; fi
  fi
done
echo "quickstart: fine, also the second time; $told"
