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

echo "== 1/6 packages"
deploy/install-packages.sh build

echo "== 2/6 build (release, a few minutes the first time)"
deploy/build.sh release deconvoy deconvoyd deconvoy-worker
deconvoy=build/release/bin/deconvoy

psf=deploy/models/psf.ome.tif
model=deploy/models/rln-widefield.safetensors

echo "== 3/6 a synthetic specimen: truth, PSF, and the blurred, noisy image of it"
mkdir -p "$out"
"$deconvoy" simulate -o "$out" --shape 48,160,160 --kind mixed --seed 7 --photons 400 \
  --psf "$psf" --background 10 --offset 100 --local

echo "== 4/6 deconvolution with Richardson-Lucy, 30 iterations"
"$deconvoy" run "$out/raw.ome.tif" --psf "$psf" -o "$out/deconvolved.ome.tif" \
  --method rl --iterations 30 --offset 100 --background auto --local

echo "== 5/6 the same with a network that was trained for this PSF"
rm -f "$out/network.ome.tif"
results=("$out/deconvolved.ome.tif")
shown="before, truth, Richardson-Lucy"
unavailable=$("$deconvoy" methods network --local | sed -n 's/^unavailable: //p')
if [ -n "$unavailable" ]; then
  echo "no network: $unavailable"
else
  "$deconvoy" run "$out/raw.ome.tif" --psf "$psf" -o "$out/network.ome.tif" \
    --method network --network "$model" --offset 100 --background auto --local
  results+=("$out/network.ome.tif")
  shown+=", network"
fi

echo "== 6/6 against the truth"
echo "-- the raw image (its offset of 100 counts and its background still in it):"
"$deconvoy" compare "$out/raw.ome.tif" "$out/truth.ome.tif"
for result in "${results[@]}"; do
  echo "-- $(basename "$result"):"
  "$deconvoy" compare "$result" "$out/truth.ome.tif"
done
"$deconvoy" picture "$out/raw.ome.tif" "$out/truth.ome.tif" "${results[@]}" -o "$out/picture.png" --local
echo
echo "Look at $out/picture.png: $shown; xy above, xz below."
echo "Next: $deconvoy run YOUR.tif --psf YOUR_PSF.tif -o result.tif, and docs/index.md"
