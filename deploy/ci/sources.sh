# shellcheck shell=bash
# Sourced by the scripts beside it: where the project is, and which sources are its own.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
fail() { echo "$(basename "$0"): $*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || fail "$1 is missing; run deploy/install-packages.sh"; }
need git
# Whoever owns the files: a mounted checkout often belongs to another user.
git() { command git -c safe.directory="$PWD" "$@"; }
git rev-parse --git-dir >/dev/null 2>&1 || fail "$PWD is not a git checkout, and git tells which files are the project's"
cxx_sources() { git ls-files -- '*.h' '*.cc' '*.cu'; }

# The commit that a branch left main at. Fails on main itself, and where main is not known, as in a clone of a single commit.
start_of_change() {
  local base
  base=$(git merge-base HEAD origin/main 2>/dev/null) && [ "$base" != "$(git rev-parse HEAD)" ] && echo "$base"
}

# Sources that differ from commit $1, new ones too; for a header one that includes it.
changed_sources() {
  { git diff --name-only --diff-filter=d "$1" -- '*.cc' '*.h'; git ls-files --others --exclude-standard -- '*.cc' '*.h'; } |
    while read -r file; do
      if [[ $file == *.h ]]; then git grep -lF "#include \"$file\"" -- '*.cc' | sed -n 1p; else echo "$file"; fi
    done | sort -u
}
