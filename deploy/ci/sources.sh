# Sourced by the scripts beside it: where the project is, and which sources are its own.
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cxx_sources() { git ls-files -- '*.h' '*.cc' '*.cu'; }
# Those that differ from the branch's start: $1, else main's merge base, else the last commit.
changed_sources() {
  local base=${1:-$(git merge-base HEAD origin/main 2>/dev/null || git rev-parse HEAD~1 2>/dev/null || git rev-parse HEAD)}
  { git diff --name-only --diff-filter=d "$base" -- '*.cc'; git ls-files --others --exclude-standard -- '*.cc'; } | sort -u
}
