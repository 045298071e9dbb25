# shellcheck shell=bash
# Sourced by verify-generated and fix-generated: `generate DIR` writes every generated page below DIR, at its path in the tree.
generate() {
  local bin=build/release/bin program
  for program in deconvoy deconvoy-worker deconvoyd; do
    [ -x $bin/$program ] || fail "generated pages come from the built programs; run deploy/build.sh release first"
  done
  mkdir -p "$1/docs/methods" "$1/deploy"
  $bin/deconvoy help-markdown >"$1/docs/cli.md"
  $bin/deconvoy-worker --describe >"$1/docs/methods/parameters.txt"
  $bin/deconvoyd --print-config >"$1/deploy/deconvoyd.example.toml"
  $bin/deconvoyd --print-permissions >"$1/docs/permissions.md"
}
# shellcheck disable=SC2034
pages="docs/cli.md docs/methods/parameters.txt docs/permissions.md deploy/deconvoyd.example.toml"
