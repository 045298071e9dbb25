#!/usr/bin/env bash
# Configures and builds. Safe to run again: goes on where it stopped.
#   deploy/build.sh PRESET [TARGET...]     into build/PRESET; everything without a TARGET
set -Eeuo pipefail
cd "$(dirname "$0")/.."
preset=${1:?usage: deploy/build.sh PRESET [TARGET...]}
folder=build/$preset
fail() { echo "build: $*" >&2; exit 1; }

mkdir -p "$folder" || fail "cannot write to $PWD"
if ! cmake --preset "$preset" >"$folder/configure.log" 2>&1; then
  cat "$folder/configure.log" >&2
  fail "cmake could not configure $folder; the lines above say why"
fi

# A compiler takes up to 1 GiB, with a sanitizer 2.
need_mib=1024
case $preset in asan | tsan) need_mib=2048 ;; esac
available_mib=$(awk '/^MemAvailable:/ {print int($2 / 1024)}' /proc/meminfo)
jobs=$((available_mib / need_mib))
if [ "$jobs" -gt "$(nproc)" ]; then jobs=$(nproc); fi
if [ "$jobs" -lt 1 ]; then jobs=1; fi

if ! cmake --build "$folder" -j "$jobs" ${2:+--target "${@:2}"}; then
  free_mib=$(df -Pm "$folder" | awk 'NR == 2 {print $4}')
  if [ "$free_mib" -lt 100 ]; then fail "the disk of $PWD/$folder is full ($free_mib MiB left); free 2 GiB and run this again"; fi
  fail "the build of $folder stopped; the lines above say why. Run this again to go on"
fi
