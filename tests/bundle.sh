#!/usr/bin/env bash
# Makes a bundle (deploy/bundle.sh), and runs it where nothing else is: in a root folder with the bundle, /proc, /dev and /tmp, without
# a shell, a library or a network. There it describes itself, tests itself, keeps the backend's contract, and takes a specimen through
# a private server and a worker.
#   tests/bundle.sh [BUILD]     build/release by default. Prints ALL TESTS SKIPPED, and why, where such a root cannot be made.
set -Eeuo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release}
work=$(mktemp -d "${TMPDIR:-/tmp}/deconvoy-bundle.XXXXXX")
trap 'rm -rf "$work"' EXIT
fail() { tail -n 40 "$work/log" >&2 2>/dev/null; echo "tests/bundle.sh: $*" >&2; exit 1; }
if ! unshare -Urm --pid --fork --net true 2>"$work/why"; then
  echo "ALL TESTS SKIPPED: no user namespace can be made here: $(cat "$work/why")"
  exit 0
fi

place="a place/moved to"   # a folder with a space, and not that in which it was made
root="$work/root"
deploy/bundle.sh "$work/made" "$build"
mkdir -p "$root/$place" "$root"/{proc,dev,tmp}
mv "$work/made" "$root/$place/deconvoy"
touch "$root/dev/null" "$root/dev/urandom"

# Each line of the standard input is a command inside, with the programs in $bin; the first that fails ends it.
inside() {
  unshare -Urm --pid --fork --net bash -c '
    set -Eeuo pipefail
    root=$1 place=$2
    mount -t proc proc "$root/proc"
    mount --bind /dev/null "$root/dev/null"
    mount --bind /dev/urandom "$root/dev/urandom"
    while read -r program arguments; do
      echo "-- $program $arguments"
      # shellcheck disable=SC2086
      env -i "PATH=$PATH" HOME=/tmp TMPDIR=/tmp chroot "$root" "/$place/deconvoy/bin/$program" $arguments </dev/null
    done' inside "$root" "$place" >"$work/log" 2>&1
}

inside <<'END' || fail "a program of the bundle failed where nothing but the bundle is"
deconvoyd --version
deconvoy-worker --describe
deconvoy-worker --devices
deconvoy-worker --devices --json
deconvoy-worker --self-test
contract_backend_cpu_test --gtest_brief=1 --gtest_filter=*ConvolvesOnAnyDomain*:*StagingSuite*:*Wavelet*
deconvoy simulate -o /tmp/specimen --shape 16,48,48 --kind mixed --seed 7 --photons 400 --local
deconvoy run /tmp/specimen/raw.ome.tif --psf /tmp/specimen/psf.ome.tif -o /tmp/specimen/result.ome.tif --iterations 10 --local
deconvoy compare /tmp/specimen/result.ome.tif /tmp/specimen/truth.ome.tif --json
deconvoy-bench iteration --shape 8,32,32 --psf 3,5,5 --repeats 1 --no-baseline --threads 1 --json /tmp/specimen/bench.json
END
grep -q '"nrmse":' "$work/log" || fail "the comparison says nothing"
[ -s "$root/tmp/specimen/bench.json" ] || fail "no measurement was written"
# It must not have looked outside, and must say what is missing.
rm "$root/$place/deconvoy/libexec/deconvoy"
if inside <<<"deconvoy --version"; then fail "a program that is not there was run"; fi
grep -q "there is no program /$place/deconvoy/libexec/deconvoy" "$work/log" || fail "it does not say which program is missing"
echo "bundle: fine where nothing else is"
