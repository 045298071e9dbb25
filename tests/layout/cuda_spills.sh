#!/bin/bash
# cuda_spills.sh NVCC ROOT ARCHITECTURE... : fails where ptxas has kernels of iterations wait for registers in memory.
#
# Kernels that visit voxels and nothing else (prologues, epilogues, products with OTFs) keep all in registers. Those that
# add up besides may set aside up to four of them (16 bytes) beside their loop over voxels.
set -euo pipefail
nvcc=$1 root=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 seen=0
for architecture in "$@"; do
  [[ $architecture == *-virtual ]] && continue
  seen=1
  for source in planes spectra; do
    "$nvcc" -std=c++20 -O3 -arch="sm_${architecture%-real}" -Xptxas -v -cubin -I "$root" -o "$work/kernels.cubin" \
      "$root/worker/backends/cuda/$source.cu" 2>"$work/told" || { cat "$work/told"; exit 1; }
    awk -v where="$source.cu for sm_${architecture%-real}" '
      /Function properties for/ { name = $NF; next }
      name != "" && /bytes spill stores/ {
        ++kernels
        most = name ~ /SumKernel/ ? 16 : 0
        if ($5 > most) { print where ": " $5 " bytes are spilled in " name; bad = 1 }
        name = ""
      }
      END {
        if (kernels < 5) { print where ": only " kernels + 0 " kernels are told of"; bad = 1 }
        print where ": " kernels " kernels"
        exit bad
      }' "$work/told" || failed=1
  done
done
if [ $seen = 0 ]; then echo "no real architecture was given"; exit 1; fi
exit $failed
