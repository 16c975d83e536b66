#!/usr/bin/env bash
# Prometheus and promtool for tests, from Debian's package.
#
#   scripts/prometheus.sh install        installs them where they are missing, and prints PROMETHEUS=folder
#
# It starts nothing: the package's own server stays off. Tests start Prometheus in folders of theirs.
set -euo pipefail

say() { echo "prometheus: $*" >&2; }
die() { say "$*"; exit 1; }

install() {
  if ! command -v prometheus >/dev/null || ! command -v promtool >/dev/null; then
    [ "$(id -u)" = 0 ] || die "prometheus and promtool are needed: install them, or run as root"
    say "installing prometheus"
    local policy=/usr/sbin/policy-rc.d made=""
    # The package would start a server of its own on the standard port.
    if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; made=yes; fi
    { apt-get install -y -qq --no-install-recommends prometheus ||
      { apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus; }; } >&2 || true
    [ -z "$made" ] || rm -f $policy
    command -v prometheus >/dev/null && command -v promtool >/dev/null || die "prometheus could not be installed"
  fi
  echo "PROMETHEUS=$(dirname "$(command -v prometheus)")"
}

case ${1:-} in
  install) install ;;
  *) die "usage: $0 install" ;;
esac
