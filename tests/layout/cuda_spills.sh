#!/bin/bash
# cuda_spills.sh NVCC ROOT ARCHITECTURE...|default : fails where ptxas has kernels wait for registers in memory.
#
# `default` stands for every architecture that a build is for unless it is told. The kernels of planes, spectra and arrays,
# which every iteration starts, keep all in registers. Those of neighbours and wavelets may set aside up to 16 bytes, those
# of results, which a tile needs once, up to 64.
set -euo pipefail
nvcc=$1 root=$2
shift 2
if [ "$*" = default ]; then
  read -ra architectures <<<"$(sed -nE 's/^set\(DECONVOY_CUDA_ARCHITECTURES (.*) CACHE.*/\1/p' "$root/deploy/cmake/Dependencies.cmake")"
  set -- "${architectures[@]}"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 seen=0
for architecture in "$@"; do
  [[ $architecture == *-virtual ]] && continue
  seen=1
  for source in "$root"/worker/backends/cuda/*.cu; do
    name=$(basename "$source")
    case $name in
      neighbours.cu | wavelets.cu) most=16 ;;
      results.cu) most=64 ;;
      *) most=0 ;;
    esac
    "$nvcc" -std=c++20 -O3 -arch="sm_${architecture%-real}" -Xptxas -v -cubin -I "$root" -o "$work/kernels.cubin" \
      "$source" 2>"$work/told" || { cat "$work/told"; exit 1; }
    awk -v where="$name for sm_${architecture%-real}" -v most="$most" '
      /Function properties for/ { kernel = $NF; next }
      kernel != "" && /bytes spill stores/ {
        ++kernels
        if ($5 > most) { print where ": " $5 " bytes are spilled in " kernel; bad = 1 }
        kernel = ""
      }
      END {
        if (kernels < 3) { print where ": only " kernels + 0 " kernels are told of"; bad = 1 }
        print where ": " kernels " kernels"
        exit bad
      }' "$work/told" || failed=1
  done
done
if [ $seen = 0 ]; then echo "no real architecture was given"; exit 1; fi
exit $failed
