#!/usr/bin/env bash
# Measures on this machine what docs/performance.md promises, and prints a table: what, measured, bound, met or not.
#   tests/bench/run.sh [--json FILE] [--quick] [--samples N] [NAME...]     all measurements without a NAME; --help lists them
# Needs the release programs (deploy/build.sh release). Nothing else should run meanwhile.
set -Eeuo pipefail
folder=$(dirname "${BASH_SOURCE[0]}")
command -v python3 >/dev/null || { echo "run.sh: python3 is missing; run deploy/install-packages.sh" >&2; exit 1; }
exec python3 -B "$folder/suite.py" "$@"
