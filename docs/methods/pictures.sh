#!/usr/bin/env bash
# Draws docs/images/METHOD.png for every method, as its page shows it: the image of a synthetic specimen, the truth, and
# the result with the method's defaults; of one that joins views both views first. Needs a release build.
#   docs/methods/pictures.sh [METHOD...]
set -euo pipefail
cd "$(dirname "$0")/../.."
. docs/methods/server.sh
pictures=$PWD/docs/images
if [ $# -eq 0 ]; then
  mapfile -t methods < <("$deconvoy" methods --json | sed 's/.*"name":"\([a-z-]*\)","noise_model".*/\1/')
  set -- "${methods[@]}"
fi
simulate() {  # FOLDER WIDTHS
  "$deconvoy" simulate -o "$1" --shape 32,96,96 --kind mixed --seed 5 --photons 150 --background 10 --offset 100 \
    --psf-fwhm-um "$2" --quiet
}
simulate "$work" 0.9,0.35,0.35
for method; do
  if [ "$method" = rl-multiview ]; then
    simulate "$work/side" 0.35,0.35,0.9
    "$deconvoy" join "$work/raw.ome.tif" "$work/side/raw.ome.tif" -o "$work/views.ome.tif" --quiet
    "$deconvoy" join "$work/psf.ome.tif" "$work/side/psf.ome.tif" --pad -o "$work/psfs.ome.tif" --quiet
    "$deconvoy" run "$work/views.ome.tif" --psf "$work/psfs.ome.tif" -o "$work/joined.ome.tif" --method "$method" --offset 100 --quiet
    "$deconvoy" picture "$work/raw.ome.tif" "$work/side/raw.ome.tif" "$work/truth.ome.tif" "$work/joined.ome.tif" -o "$pictures/$method.png" --quiet
    echo "$pictures/$method.png"
    continue
  fi
  "$deconvoy" run "$work/raw.ome.tif" --psf "$work/psf.ome.tif" -o "$work/$method.ome.tif" --method "$method" --offset 100 --quiet
  "$deconvoy" picture "$work/raw.ome.tif" "$work/truth.ome.tif" "$work/$method.ome.tif" -o "$pictures/$method.png" --quiet
  echo "$pictures/$method.png"
done
