#!/usr/bin/env bash
# scikit-learn, with which tests compare metrics.
#
#   scripts/sklearn.sh build    installs it and prints SKLEARN=file: a Python that has it
#
# It needs Python 3 with venv, and PyPI. What is installed, 300 MB, is kept in the user's cache.
set -euo pipefail

PACKAGES="scikit-learn==1.7.2 numpy==2.3.3 scipy==1.16.2 joblib==1.5.2 threadpoolctl==3.6.0"
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/clickloop/scikit-learn-1.7.2

say() { echo "sklearn: $*" >&2; }
die() { say "$*"; exit 1; }

[ "${1:-}" = build ] || die "usage: $0 build"
if [ ! -e "$CACHE/complete" ]; then
  command -v python3 >/dev/null || die "Python 3 is needed"
  say "installing $PACKAGES"
  rm -rf "$CACHE"
  python3 -m venv "$CACHE" || die "python3 -m venv fails: apt-get install python3-venv"
  # shellcheck disable=SC2086
  "$CACHE/bin/pip" -q install --disable-pip-version-check --only-binary :all: $PACKAGES >&2 || die "the packages cannot be installed"
  touch "$CACHE/complete"
fi
echo "SKLEARN=$CACHE/bin/python"
