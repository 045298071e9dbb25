#!/usr/bin/env bash
# Trains models for the PSF of this folder, one of a wide field, and prints how near they come to the truth of specimens
# that they have not seen, as Markdown. The same seed gives the same weights on the same kind of machine.
#   deploy/models/train.sh [-o FOLDER] [--seed N] [MODEL...]
# FOLDER, which is this one without -o, gets MODEL.safetensors. Without MODEL all are trained, in turn: rln-widefield,
# tv-widefield and dncnn3d-widefield. Needs a release build with LibTorch, and jq.
set -euo pipefail
usage() { sed -n '2,6s/^# \?//p' "$0" >&2; exit 2; }
command -v jq >/dev/null || { echo "train.sh: needs jq" >&2; exit 1; }
here=$(realpath "$(dirname "$0")")
folder=$here seed=1 chosen=()
while [ $# -gt 0 ]; do
  case $1 in
    -o | --seed) [ $# -ge 2 ] || usage ;;&
    -o) folder=$(realpath -m "$2") && shift 2 ;;
    --seed) seed=$2 && shift 2 ;;
    rln-widefield | tv-widefield | dncnn3d-widefield) chosen+=("$1") && shift ;;
    *) usage ;;
  esac
done
[ ${#chosen[@]} -gt 0 ] || chosen=(rln-widefield tv-widefield dncnn3d-widefield)
mkdir -p "$folder"
cd "$here/../.."
. docs/methods/server.sh

drawn=(--kinds 'mixed,nuclei,shells' --held-out filaments)
photons=(--least-photons 50 --most-photons 1000 --background 10)
train() { # MODEL
  local recipe from=$SECONDS
  case $1 in
    rln-widefield)
      recipe=(--network rln --target truth "${photons[@]}" --specimens 64 --patch '64,64,64' --steps 1500 --parts 15
        --description 'The light of specimens, from photon counts in a wide field') ;;
    tv-widefield)
      recipe=(--network rln --target method --method rl-tv --param iterations=200 "${photons[@]}" --specimens 48
        --patch '64,64,64' --steps 1200 --parts 2
        --description 'What 200 iterations of rl-tv make of an image of a wide field, in one pass') ;;
    dncnn3d-widefield)
      recipe=(--network dncnn3d --target denoise --specimens 64 --patch '32,32,32' --steps 2000 --parts 10
        --description 'Takes Gaussian noise out of specimens: a denoiser for pnp-admm and pnp-ista') ;;
  esac
  "$deconvoy" models train "$1" --psf "$here/psf.ome.tif" "${drawn[@]}" "${recipe[@]}" --validation 6 --batch 1 \
    --learning-rate 0.002 --seed "$seed"
  "$deconvoy" models export "$1" -o "$folder/$1.safetensors"
  echo "$1: $(((SECONDS - from + 30) / 60)) minutes on $(nproc) cores"
}
quality() { # MODEL
  "$deconvoy" models show "$1" --json | jq -r --arg model "$1" --arg seed "$seed" '
    def short: . * 1000 | round / 1000;
    .facts.quality[] | "| \($model) | \($seed) | \(.kind | ascii_downcase)\(if .held_out then ", never trained on" else "" end)"
      + ([.raw_nrmse, .classical_nrmse, .nrmse, .raw_ncc, .classical_ncc, .ncc] | map(if . == 0 then " | -" else " | \(short)" end) | join("")) + " |"'
}

for model in "${chosen[@]}"; do train "$model"; done
echo '| model | seed | specimens | nrmse: image | rl, 20 | model | ncc: image | rl, 20 | model |'
echo '|---|---|---|---|---|---|---|---|---|'
for model in "${chosen[@]}"; do quality "$model"; done
