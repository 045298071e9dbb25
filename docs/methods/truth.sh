#!/usr/bin/env bash
# Prints the table of docs/methods/index.md: how near to a known truth every method comes, as Markdown. Needs a release
# build.
#   docs/methods/truth.sh PSF TRUTH STACK... [-- METHOD...]       with their defaults
#   docs/methods/truth.sh PSF TRUTH STACK... -- METHOD [OPTION...] one with options of `deconvoy run` (they begin with --)
set -euo pipefail
psf=$(realpath "$1") truth=$(realpath "$2")
shift 2
stacks=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do stacks+=("$(realpath "$1")"); shift; done
[ $# -eq 0 ] || shift
cd "$(dirname "$0")/../.."
. docs/methods/server.sh

figure() { grep -o "\"$1\":[-+.0-9e]*" "$work/figures" | head -n 1 | cut -d: -f2; }  # NAME
row() {  # METHOD [OPTION...]
  printf '| %s |' "$*"
  for stack in "${stacks[@]}"; do
    "$deconvoy" run "$stack" --psf "$psf" -o "$work/out.tif" --method "$@" --quiet
    "$deconvoy" compare "$work/out.tif" "$truth" --json >"$work/figures"
    printf ' %.4f | %.2f | %.4f | %.4f |' "$(figure nrmse)" "$(figure psnr)" "$(figure ssim)" "$(figure ncc)"
  done
  echo
}

printf '| method |'
for stack in "${stacks[@]}"; do printf ' nrmse, %s | psnr | ssim | ncc |' "$(basename "$stack")"; done
printf '\n|---|'
for _ in "${stacks[@]}"; do printf -- '---|---|---|---|'; done
echo
if [ $# -gt 1 ] && [[ $2 == --* ]]; then
  row "$@"
  exit
fi
if [ $# -eq 0 ]; then
  # blind-rl looks for a PSF, and rl-multiview needs several views.
  mapfile -t methods < <("$deconvoy" methods --json | sed 's/.*"name":"\([a-z-]*\)","noise_model".*/\1/' | grep -vx 'blind-rl\|rl-multiview')
  set -- "${methods[@]}"
fi
for method; do row "$method"; done
