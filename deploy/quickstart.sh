#!/usr/bin/env bash
# Installs, builds, and deconvolves a synthetic specimen, so that you see the whole path work on your machine.
# Safe to run again: goes on where it stopped.
#   deploy/quickstart.sh [FOLDER]     for the results; ./quickstart in the project by default
set -Eeuo pipefail
case "${1:-}" in -*) echo "usage: deploy/quickstart.sh [FOLDER]" >&2; exit 2 ;; esac
out=${1:+$(realpath -m -- "$1")}
cd "$(dirname "$0")/.."
out=${out:-$PWD/quickstart}
trap 'echo "quickstart: stopped at line $LINENO: $BASH_COMMAND" >&2' ERR
trap 'echo "quickstart: interrupted; run it again to go on" >&2; exit 130' INT TERM

echo "== 1/5 packages"
deploy/install-packages.sh build

echo "== 2/5 build (release, a few minutes the first time)"
deploy/build.sh release deconvoy deconvoyd deconvoy-worker
deconvoy=build/release/bin/deconvoy

echo "== 3/5 a synthetic specimen: truth, PSF, and the blurred, noisy image of it"
mkdir -p "$out"
"$deconvoy" simulate -o "$out" --shape 48,160,160 --kind mixed --seed 7 --photons 400 \
  --voxel-um 0.2,0.1,0.1 --psf-fwhm-um 0.9,0.3,0.3 --background 10 --offset 100 --local

echo "== 4/5 deconvolution with Richardson-Lucy, 30 iterations"
"$deconvoy" run "$out/raw.ome.tif" --psf "$out/psf.ome.tif" -o "$out/deconvolved.ome.tif" \
  --method rl --iterations 30 --offset 100 --background auto --local

echo "== 5/5 against the truth"
echo "-- the raw image (its offset of 100 counts and its background still in it):"
"$deconvoy" compare "$out/raw.ome.tif" "$out/truth.ome.tif"
echo "-- the result:"
"$deconvoy" compare "$out/deconvolved.ome.tif" "$out/truth.ome.tif"
"$deconvoy" picture "$out/raw.ome.tif" "$out/truth.ome.tif" "$out/deconvolved.ome.tif" -o "$out/picture.png" --local
echo
echo "Look at $out/picture.png: before, truth, after; xy above, xz below."
echo "Next: $deconvoy run YOUR.tif --psf YOUR_PSF.tif -o result.tif, and docs/index.md"
