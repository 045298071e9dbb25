#!/usr/bin/env bash
# Installs the Debian 12 packages that deconvoy is built from and tested with. Safe to run again: does nothing when all
# are there.   usage: deploy/install-packages.sh [build|test]   (test, the default, includes build)
set -euo pipefail
fail() { echo "install-packages: $*" >&2; exit 1; }

build=(
  g++ cmake ninja-build pkg-config
  libgrpc-dev libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libabsl-dev
  libboost-dev libboost-system-dev libboost-filesystem-dev
  libfftw3-dev libhwloc-dev libsqlite3-dev libtiff-dev libpng-dev libpugixml-dev libtomlplusplus-dev libcli11-dev
  nlohmann-json3-dev libspdlog-dev libfmt-dev libssl-dev zlib1g-dev libzstd-dev liblz4-dev
  libtorch-dev libopenblas0-openmp libyaml-cpp-dev libseccomp-dev
  libgtest-dev libgmock-dev libbenchmark-dev
)
tests=(git openssl python3 clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev)

case "${1:-test}" in
  build) wanted=("${build[@]}") ;;
  test) wanted=("${build[@]}" "${tests[@]}") ;;
  *) fail "unknown set '$1': say build or test" ;;
esac

command -v dpkg-query >/dev/null || fail "this is not a Debian system; install the equivalents of: ${wanted[*]}"
missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || fail "needs root to install ${missing[*]}: run as root or install sudo"
  sudo true || fail "needs root to install ${missing[*]}: sudo does not let this user; run as root"
  as_root=(sudo)
fi
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
echo "== installing ${#missing[@]} packages: ${missing[*]}"
"${apt[@]}" update >/dev/null || echo "install-packages: apt-get update failed; trying with the lists that are there" >&2
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null ||
  fail "apt-get could not install the packages above; the lines before this one say why (network? disk? /etc/apt/sources.list?)." \
    "After an interruption, \`dpkg --configure -a\` as root, then run this again"
