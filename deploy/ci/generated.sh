# Sourced by verify-generated and fix-generated: `generate DIR` writes every generated page below DIR, at its path in the tree.
generate() {
  local bin=build/release/bin
  [ -x $bin/deconvoy ] && [ -x $bin/deconvoy-worker ] && [ -x $bin/deconvoyd ] || {
    echo "generated pages come from the built programs: run cmake --preset release && cmake --build --preset release" >&2
    return 1
  }
  mkdir -p "$1/docs/methods" "$1/deploy"
  $bin/deconvoy help-markdown >"$1/docs/cli.md"
  $bin/deconvoy-worker --describe >"$1/docs/methods/parameters.txt"
  $bin/deconvoyd --print-config >"$1/deploy/deconvoyd.example.toml"
}
pages="docs/cli.md docs/methods/parameters.txt deploy/deconvoyd.example.toml"
