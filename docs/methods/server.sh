# shellcheck shell=bash
# Starts a server of its own for the scripts beside this one and for deploy/models/train.sh, which source it in the root
# of the project: sets $deconvoy, $work, a folder that goes with the server when the script ends, and $DECONVOY_SERVER.
# Needs a release build. What is set before counts: $state, a folder that is to stay, and the array serve, further
# options of deconvoyd.
serve+=()
deconvoy=$PWD/build/release/bin/deconvoy
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
build/release/bin/deconvoyd --state "${state:-$work/state}" --listen "unix:$work/s" "${serve[@]}" >"$work/log" 2>&1 &
server=$!
export DECONVOY_SERVER=unix:$work/s
for _ in $(seq 100); do "$deconvoy" methods >/dev/null 2>&1 && break; sleep 0.2; done
