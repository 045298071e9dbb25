# Sourced by the scripts beside it: where the project is, and which sources are its own.
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# Whoever owns the files: a mounted checkout often belongs to another user.
git() { command git -c safe.directory="$PWD" "$@"; }
git rev-parse --git-dir >/dev/null 2>&1 || { echo "$(basename "$0"): $PWD is not a git checkout, and git tells which files are the project's" >&2; exit 1; }
cxx_sources() { git ls-files -- '*.h' '*.cc' '*.cu'; }
# Those that differ from the branch's start: $1, else main's merge base, on main itself the commit before.
changed_sources() {
  local base=${1:-$(git merge-base HEAD origin/main 2>/dev/null || true)}
  if [ -z "$base" ] || [ "$base" = "$(git rev-parse HEAD)" ]; then base=$(git rev-parse HEAD~1 2>/dev/null || git rev-parse HEAD); fi
  { git diff --name-only --diff-filter=d "$base" -- '*.cc'; git ls-files --others --exclude-standard -- '*.cc'; } | sort -u
}
