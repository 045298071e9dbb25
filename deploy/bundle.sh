#!/usr/bin/env bash
# Puts the built programs with all libraries that they need into one folder, which runs on any x86-64 Linux of version 3.2 or newer:
# also where our packages are missing or the C library is older. CUDA's own libraries and the driver's are the other machine's.
#   deploy/bundle.sh FOLDER [BUILD]     BUILD is a folder that deploy/build.sh made, build/bundle by default
# It stays under 60 MiB where the build is without LibTorch, as that of the preset `bundle` is.
# Run what lies in FOLDER/bin; FOLDER may be moved. FOLDER/tests/gpu.sh measures a GPU.
set -Eeuo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:?usage: deploy/bundle.sh FOLDER [BUILD]}
build=${2:-$root/build/bundle}
[ -d "$build" ] || { echo "bundle: there is no $build; run deploy/build.sh bundle, or name another build" >&2; exit 1; }
build=$(cd "$build" && pwd)
limit_mib=60
fail() { echo "bundle: $*" >&2; exit 1; }
trap 'fail "stopped at line $LINENO: $BASH_COMMAND"' ERR
if [ -e "$folder" ]; then fail "$folder is there already; name a new one"; fi
for tool in gcc ldd strip readlink; do command -v $tool >/dev/null || fail "there is no $tool; run deploy/install-packages.sh"; done

programs=(deconvoyd deconvoy deconvoy-worker deconvoy-bench contract_backend_cpu_test)
for name in contract_backend_cuda_test reference_cuda_test; do
  if [ -x "$build/bin/$name" ]; then programs+=("$name"); fi
done
for name in "${programs[@]}"; do [ -x "$build/bin/$name" ] || fail "$build/bin/$name is not built"; done

mkdir -p "$folder"/{bin,lib,libexec,tests}
launcher=$folder/bin/deconvoyd
gcc -Os -static -nostdlib -ffreestanding -fno-stack-protector -fno-pie -no-pie -fno-asynchronous-unwind-tables \
  -Wl,--build-id=none -Wl,-z,noseparate-code -Wall -Wextra -Werror -o "$launcher" "$root/deploy/bundle/launcher.c"
strip "$launcher"
for name in "${programs[@]}"; do
  strip -o "$folder/libexec/$name" "$build/bin/$name"
  [ "$name" = deconvoyd ] || cp "$launcher" "$folder/bin/$name"
done

# Libraries by the name under which they are looked for. The driver's and CUDA's belong to the other machine.
theirs='^lib(cuda|cudart|cufft|cufftw|nvidia-.*|nvrtc.*|nvJitLink)\.so'
for name in "${programs[@]}"; do ldd "$build/bin/$name"; done | awk '$2 == "=>" {print $1, $3}' | sort -u |
  while read -r name path; do
    if [[ $name =~ $theirs ]]; then continue; fi
    [ -e "$path" ] || fail "the library $name is not on this machine"
    cp -L "$path" "$folder/lib/$name"
    chmod u+w "$folder/lib/$name"
    strip --strip-unneeded "$folder/lib/$name" 2>/dev/null || true
  done
# What CUDA's libraries and the driver's want of the C library has to be of the same version as the rest of it, also where
# our programs want none of it.
libc=$(dirname "$(ldd "$build/bin/deconvoyd" | awk '$1 == "libc.so.6" {print $3}')")
for name in libdl.so.2 libpthread.so.0 librt.so.1 libm.so.6; do
  cp -L "$libc/$name" "$folder/lib/$name"
  chmod u+w "$folder/lib/$name"
done
loader=$(ldd "$build/bin/deconvoyd" | awk '/ld-linux-x86-64/ {print $1}')
cp -L "$(readlink -f "$loader")" "$folder/bin/ld-linux-x86-64.so.2"
chmod u+wx "$folder/bin/ld-linux-x86-64.so.2"

cp "$root/tests/gpu.sh" "$root/tests/gpu_array_code.py" "$folder/tests/"
cp "$root/docs/gpu.md" "$root/LICENSE" "$folder/"

bytes=$(du -sb --apparent-size "$folder" | cut -f1)
printf 'bundle: %s, %d programs, %d libraries, %.1f MiB\n' "$folder" ${#programs[@]} "$(find "$folder/lib" -type f | wc -l)" \
  "$(awk "BEGIN {print $bytes / 1048576}")"
if ls "$folder"/lib/libtorch* >/dev/null 2>&1; then
  echo "bundle: that is with LibTorch; the preset \`bundle\` leaves it out"
elif [ "$bytes" -gt $((limit_mib << 20)) ]; then
  fail "the folder is larger than $limit_mib MiB"
fi
