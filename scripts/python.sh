#!/usr/bin/env bash
# Python with the data tools that analysts use, as a reader of what clickloop writes in tests.
#
#   scripts/python.sh build              makes a virtual environment and prints PYTHON=path of its interpreter
#
# It needs Python 3.11 or later with its module venv, and the package index. What is made is kept in the user's cache, by the versions in it: 400 MB, in a minute.
set -euo pipefail
umask 077

PACKAGES="duckdb==2.0.1 pandas==3.1.1 pyarrow==26.0.1 numpy==2.4.6"
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/clickloop/python-$(cksum <<<"$PACKAGES" | cut -d' ' -f1)

die() { echo "python: $*" >&2; exit 1; }

build() {
  if [ ! -e "$CACHE/complete" ]; then
    command -v python3 >/dev/null || die "python3 is needed"
    echo "python: installing $PACKAGES" >&2
    rm -rf "$CACHE"
    mkdir -p "$CACHE"
    python3 -m venv "$CACHE" || die "python3 -m venv fails (apt-get install python3-venv)"
    # shellcheck disable=SC2086
    "$CACHE/bin/pip" install -q --only-binary :all: $PACKAGES >&2 || die "the packages cannot be installed"
    touch "$CACHE/complete"
  fi
  echo "PYTHON=$CACHE/bin/python"
}

case "${1:-}" in
  build) build ;;
  *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
