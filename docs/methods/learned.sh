#!/usr/bin/env bash
# Compares learned methods with classical ones on simulated images of one microscope, and shows what is told of results
# that should not be believed. Needs a release build with LibTorch, and jq.
#   docs/methods/learned.sh train FOLDER [NETWORK...]  trains those of the table below, or all that are compared
#   docs/methods/learned.sh table FOLDER               prints figures against the truth, as Markdown
#   docs/methods/learned.sh pictures FOLDER            draws docs/images/learned-KIND.png
#   docs/methods/learned.sh trust FOLDER               prints what jobs tell of data that a model is not for, as Markdown
#   docs/methods/learned.sh distilled FOLDER           prints how near tv-widefield comes to 200 iterations of rl-tv, and
#                                                      how much faster it is, as Markdown
#   docs/methods/learned.sh denoiser FOLDER            prints what dncnn3d-widefield is worth in pnp-admm, as Markdown
# FOLDER keeps NETWORK.safetensors, which may come from elsewhere as those of deploy/models do, and the server's state.
set -euo pipefail
case "$#:${1:-}" in
  [01]:* | *:-*) sed -n '2,11s/^# //p' "$0" >&2; exit 2 ;;
  *:train | 2:table | 2:pictures | 2:trust | 2:distilled | 2:denoiser) ;;
  *) echo "learned.sh: train FOLDER [NETWORK...], or table, pictures, trust, distilled or denoiser FOLDER" >&2; exit 2 ;;
esac
what=$1 folder=$(realpath -m "$2")
shift 2
command -v jq >/dev/null || { echo "learned.sh: needs jq" >&2; exit 1; }
cd "$(dirname "$0")/../.."
mkdir -p "$folder/images"
state=$folder/state
serve=(--files-read-only "images=$folder/images")
. docs/methods/server.sh

psf=$PWD/deploy/models/psf.ome.tif # of a wide field
[ -e "$psf" ] || { echo "learned.sh: there is no $psf" >&2; exit 1; }
background=10                      # photons, of all images; there is no read noise

# Model, network, what it learns from: drawn filaments, or images of them and of mixed specimens.
models='
srcnn         srcnn       truth
isonet1       isonet1     degradation
isonet2       isonet2     degradation
rln-filaments rln         truth
care-unet3d   care-unet3d truth
rcan3d        rcan3d      truth
ddn           ddn         truth
'
compared=(srcnn isonet1 isonet2 rln-filaments)
# Of all trainings on drawn specimens, and on the given images of `training_images`.
drawn=(--least-photons 50 --most-photons 1000 --background "$background" --specimens 64 --validation 4 --patch '32,64,64')
given=(--specimens 64 --validation 4 --patch '32,32,64')
always=(--batch 1 --steps 1500 --learning-rate 0.002 --parts 15 --seed 1)

specimens=(101 102 103) # seeds of those that are compared

# Voxel size of the PSF, which is that of all images.
voxel_um() {
  local axis
  for axis in Z Y X; do grep -ao "PhysicalSize$axis=\"[^\"]*\"" "$psf" | head -n 1 | cut -d '"' -f 2; done | paste -sd ,
}
simulate() { # FOLDER SHAPE KIND SEED PHOTONS [PSF]
  "$deconvoy" simulate -o "$1" --shape "$2" --kind "$3" --seed "$4" --photons "$5" --psf "${6:-$psf}" \
    --voxel-um "$(voxel_um)" --background "$background" --read-noise 0 --offset 0 --quiet
}

# Volumes of images that an IsoNet learns from, one a line.
training_images() {
  local kind photons seed=200
  for kind in filaments mixed; do
    for photons in 100 300 1000; do
      seed=$((seed + 1))
      simulate "$folder/images/$kind-$photons" 48,256,256 "$kind" "$seed" "$photons"
      "$deconvoy" volumes import "images/$kind-$photons/raw.ome.tif" --quiet
    done
  done
}
train() { # MODEL
  local network source options volumes=() volume
  if ! read -r network source < <(awk -v model="$1" '$1 == model { print $2, $3 }' <<<"$models"); then
    echo "learned.sh: no model of the table is called '$1'" >&2
    exit 2
  fi
  case $source in
    degradation)
      training_images >"$work/volumes"
      mapfile -t volumes <"$work/volumes"
      options=("${given[@]}" --target degradation)
      for volume in "${volumes[@]}"; do options+=(--image "$volume"); done
      ;;
    truth) options=("${drawn[@]}" --kinds filaments --held-out nuclei) ;;
  esac
  "$deconvoy" models train "$1" --network "$network" --psf "$psf" "${options[@]}" "${always[@]}"
  "$deconvoy" models export "$1" -o "$folder/$1.safetensors"
  [ ${#volumes[@]} -eq 0 ] || "$deconvoy" volumes delete "${volumes[@]}" --quiet
}

# Brings a model's file to the server, unless the newest version is just that. False where there is no file.
have() { # MODEL
  local file=$folder/$1.safetensors
  [ -e "$file" ] || file=deploy/models/$1.safetensors
  [ -e "$file" ] || return 1
  "$deconvoy" models export "$1" -o "$work/model" >/dev/null 2>&1 && cmp -s "$work/model" "$file" && return
  "$deconvoy" models import "$1" "$file" --quiet
}
deconvolve() { # RAW OUTPUT PSF OPTION...; leaves the job as JSON in $work/job
  local raw=$1 output=$2 with=$3
  shift 3
  if ! "$deconvoy" run "$raw" --psf "$with" -o "$output" --offset 0 --background "$background" --json --quiet "$@" \
    >"$work/run"; then
    tail -n 1 "$work/run" >&2
    return 1
  fi
  jq -c 'select(.event == "result").job' "$work/run" >"$work/job"
}
seconds() { # of computing, of $work/job
  local from to
  read -r from to < <(jq -r '"\(.start_time) \(.end_time)"' "$work/job")
  echo "$(date -d "$from" +%s.%N) $(date -d "$to" +%s.%N)" | awk '{ printf "%.3f", $2 - $1 }'
}

# Of one way to deconvolve, means over the specimens; of psnr also the deviation. The first run, which finds transform
# plans, does not count.
row() { # LABEL OPTION...
  local label=$1 seed
  shift
  deconvolve "$work/${specimens[0]}/raw.ome.tif" "$work/out.ome.tif" "$psf" "$@"
  for seed in "${specimens[@]}"; do
    deconvolve "$work/$seed/raw.ome.tif" "$work/out.ome.tif" "$psf" "$@"
    "$deconvoy" compare "$work/out.ome.tif" "$work/$seed/truth.ome.tif" --json |
      jq -r --arg seconds "$(seconds)" '"\(.psnr) \(.nrmse) \(.ncc) \(.ssim) \($seconds)"'
  done >"$work/figures"
  [ -e "$work/first" ] || awk '{ sum += $5 } END { print sum / NR }' "$work/figures" >"$work/first"
  awk -v label="$label" -v first="$(cat "$work/first")" '
    { psnr += $1; squares += $1 * $1; nrmse += $2; ncc += $3; ssim += $4; seconds += $5 }
    END {
      variance = NR > 1 ? (squares - psnr * psnr / NR) / (NR - 1) : 0
      printf "| %s | %.2f ± %.2f | %.4f | %.4f | %.4f | %.2f | %.2f |\n", label, psnr / NR,
        sqrt(variance > 0 ? variance : 0), nrmse / NR, ncc / NR, ssim / NR, seconds / NR, seconds / NR / first
    }' "$work/figures"
}
label() { # MODEL
  case $1 in
    srcnn) echo SRCNN ;;
    isonet1) echo IsoNet-1 ;;
    isonet2) echo IsoNet-2 ;;
    rln-filaments) echo RLN ;;
    rln-widefield) echo 'RLN, never trained on filaments' ;;
    *) echo "$1" ;;
  esac
}
header() {
  echo '| method | PSNR, dB | nrmse | ncc | SSIM | s | times RL 20 |'
  echo '|---|---|---|---|---|---|---|'
}
table() {
  local seed model
  for seed in "${specimens[@]}"; do simulate "$work/$seed" 48,192,192 filaments "$seed" 300; done
  header
  row 'RL, 20 iterations' --method rl --iterations 20 --set acceleration=none
  row 'RL, 100 iterations' --method rl --iterations 100 --set acceleration=none
  row 'ADMM' --method admm
  for model in srcnn isonet1 isonet2 rln-filaments rln-widefield care-unet3d rcan3d ddn; do
    if have "$model"; then row "$(label "$model")" --method network --network "$model" --compared-tiles 0; fi
  done
}

# Image, truth, RL, ADMM and the models there are.
pictures() {
  local kind model files
  for kind in filaments mixed; do
    simulate "$work/$kind" 48,192,192 "$kind" 7 300
    files=("$work/$kind/raw.ome.tif" "$work/$kind/truth.ome.tif" "$work/rl.ome.tif" "$work/admm.ome.tif")
    deconvolve "${files[0]}" "$work/rl.ome.tif" "$psf" --method rl --iterations 100 --set acceleration=none
    deconvolve "${files[0]}" "$work/admm.ome.tif" "$psf" --method admm
    for model in srcnn isonet1 isonet2 rln-filaments; do
      have "$model" || continue
      files+=("$work/$model.ome.tif")
      deconvolve "${files[0]}" "$work/$model.ome.tif" "$psf" --method network --network "$model" --compared-tiles 0
    done
    "$deconvoy" picture "${files[@]}" -o "docs/images/learned-$kind.png" --quiet
    echo "$PWD/docs/images/learned-$kind.png"
  done
}

# Of one sort of image, means over the seeds with deviations, and every warning with the number of jobs that told it.
trust_row() { # MODEL IMAGE FOLDER PSF
  local seed
  for seed in "${specimens[@]}"; do
    deconvolve "$work/$3-$seed/raw.ome.tif" "$work/out.ome.tif" "$4" --method network --network "$1"
    cat "$work/job"
  done | jq -sr --arg image "$2" '
    def two: . * 100 | round / 100;
    def told: (add / length) as $mean
      | "\($mean | two) ± \(map(. - $mean | . * .) | add / ([length - 1, 1] | max) | sqrt | two)";
    # Messages tell figures, too.
    def short: . as $message | [
        ["ANOTHER PSF", "another PSF than its own"], ["unlike those", "unlike the training"],
        ["is darker", "darker than the image"], ["is brighter", "brighter than the image"],
        ["amplified", "noise amplified"], ["follows the noise", "follows the noise"],
        ["residual is not noise", "residual is not noise"]
      ] | map(select(.[0] as $part | $message | contains($part))[1]) | first // $message;
    map(.result.quality) as $q | map(.result.trust) as $t
    | ($q | map(.residual_squares / .voxels | sqrt) | told) as $rms
    | ($q | map(.residual_sum / .voxels) | told) as $bias
    | ($q | map(.neighbour_products / .neighbours / (.residual_squares / .voxels)) | told) as $alike
    | ($t | map(100 * (.difference_squares / ([.classical_squares, 1e-300] | max) | sqrt))) as $far
    | ($t | map(100 * .strange_patches / ([.patches, 1] | max)) | told) as $strange
    | ([.[].findings[] | select(.severity == "WARNING").message | short] | group_by(.)
       | map(.[0] + if length < ($q | length) then " (\(length) of \($q | length))" else "" end)) as $warnings
    | "| \($image) | \($rms) | \($bias) | \($alike) | \(if $far | max > 1000 then "over 1000" else $far | told end) %"
      + " | \($strange) % | \($warnings | if length > 0 then join("; ") else "none" end) |"'
}
trust_rows() { # MODEL, KIND of its own...
  local model=$1 kind own
  shift
  have "$model" || { echo "learned.sh: there is no $model.safetensors in $folder or deploy/models" >&2; exit 1; }
  echo "$model:"
  echo '| image | residual, rms | bias | correlation along x | from rl | strange patches | warnings |'
  echo '|---|---|---|---|---|---|---|'
  for kind; do trust_row "$model" "$kind, learned" "$kind" "$psf"; done
  trust_row "$model" "$1, another PSF, which the job names" blurred "$work/other.ome.tif"
  trust_row "$model" "$1, another PSF, and the job names that of the training" blurred "$psf"
  for kind in mixed filaments nuclei shells beads points; do
    for own; do [ "$kind" != "$own" ] || continue 2; done
    trust_row "$model" "$kind" "$kind" "$psf"
  done
  background=100
  trust_row "$model" 'noise alone' noise "$psf"
  background=10
}
# Models and one PSF, and what they are not for.
trust() {
  local kind seed
  "$deconvoy" psf generate -o "$work/other.ome.tif" --optics na=0.8,ri_immersion=1,emission_um=0.67 \
    --voxel-um "$(voxel_um)" --shape 31,95,95 --quiet
  specimens=(301 302 303)
  for seed in "${specimens[@]}"; do
    for kind in mixed filaments nuclei shells beads points; do
      simulate "$work/$kind-$seed" 48,192,192 "$kind" "$seed" 300
    done
    background=100
    simulate "$work/noise-$seed" 48,192,192 points "$seed" 0.01
    background=10
  done
  for kind in filaments mixed; do
    for seed in "${specimens[@]}"; do
      simulate "$work/blurred-$seed" 48,192,192 "$kind" "$seed" 300 "$work/other.ome.tif"
    done
    case $kind in
      filaments) if have rln-filaments; then trust_rows rln-filaments filaments; fi ;;
      mixed) trust_rows rln-widefield mixed nuclei shells ;;
    esac
  done
}

iterations=(--method rl-tv --iterations 200)
pass=(--method network --network tv-widefield)
# Three times, in turn, whole commands: the median of each in seconds.
race() {
  local raw=$work/large/raw.ome.tif from way
  simulate "$work/large" 64,512,512 mixed 402 300
  for _ in 1 2 3; do
    for way in iterations pass alone; do
      case $way in
        iterations) set -- "${iterations[@]}" ;;
        pass) set -- "${pass[@]}" ;;
        alone) set -- "${pass[@]}" --compared-tiles 0 ;;
      esac
      from=$(date +%s.%N)
      deconvolve "$raw" "$work/out.ome.tif" "$psf" "$@"
      echo "$from $(date +%s.%N)" | awk '{ print $2 - $1 }' >>"$work/$way"
    done
  done
  for way in iterations pass alone; do sort -n "$work/$way" | sed -n 2p; done | paste -sd ' '
}
# On specimens that it has not seen.
distilled() {
  local kind image
  have tv-widefield || { echo "learned.sh: there is no tv-widefield.safetensors in $folder or deploy/models" >&2; exit 1; }
  echo '| specimen | relative L2 of the pass against 200 iterations | ncc of the pass | ncc of the image |'
  echo '|---|---|---|---|'
  for kind in mixed filaments shells beads points nuclei; do
    simulate "$work/$kind" 64,192,192 "$kind" 401 300
    deconvolve "$work/$kind/raw.ome.tif" "$work/iterations.ome.tif" "$psf" "${iterations[@]}"
    deconvolve "$work/$kind/raw.ome.tif" "$work/pass.ome.tif" "$psf" "${pass[@]}" --compared-tiles 0
    for image in "$work/pass.ome.tif" "$work/$kind/raw.ome.tif"; do
      "$deconvoy" compare "$image" "$work/iterations.ome.tif" --json
    done | jq -sr --arg kind "$kind" '
      def short: . * 1000 | round / 1000;
      "| \($kind) | \(.[0].relative_l2 | short) | \(.[0].ncc | short) | \(.[1].ncc | short) |"'
  done
  echo
  race | awk '{
    printf "64 x 512 x 512 voxels: 200 iterations %.1f s, the pass %.1f s (%.1f times faster),", $1, $2, $1 / $2
    printf " without comparing it with rl %.1f s (%.1f times)\n", $3, $1 / $3
  }'
}

# The same methods with and without a model, on specimens of the kinds that it learned from and on others.
denoiser() {
  local kind seed
  have dncnn3d-widefield || { echo "learned.sh: there is no dncnn3d-widefield.safetensors in $folder or deploy/models" >&2; exit 1; }
  for kind in mixed filaments; do
    for seed in "${specimens[@]}"; do simulate "$work/$seed" 32,96,96 "$kind" "$seed" 300; done
    rm -f "$work/first"
    echo "$kind:"
    header
    row 'RL, 20 iterations' --method rl --iterations 20 --set acceleration=none
    row 'ADMM' --method admm
    row 'pnp-admm, tv' --method pnp-admm
    row 'pnp-admm, dncnn3d-widefield, 20 iterations' --method pnp-admm --iterations 20 --network dncnn3d-widefield
  done
}

case $what in
  train)
    [ $# -gt 0 ] || set -- "${compared[@]}"
    for model; do train "$model"; done
    ;;
  table) table ;;
  pictures) pictures ;;
  trust) trust ;;
  distilled) distilled ;;
  denoiser) denoiser ;;
esac
