#!/usr/bin/env bash
# A browser and axe-core for the tests of the dashboard's page.
#
#   scripts/browser.sh     installs what is missing and prints CLICKLOOP_TEST_BROWSER=program and CLICKLOOP_TEST_AXE=script
#
# Chromium comes from Debian's packages, which needs root; a browser that is there already serves as well. axe-core comes from npm, is kept in the user's cache, and is no part
# of the project.
set -euo pipefail

AXE=4.14.1
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/clickloop/axe-core-$AXE

say() { echo "browser: $*" >&2; }
die() { say "$*"; exit 1; }

# have gets a program from Debian's packages where it is missing.
have() {
  command -v "$1" >/dev/null && return
  say "installing $1"
  { apt-get install -y -qq "$1" || { apt-get update -qq && apt-get install -y -qq "$1"; }; } >&2 || die "$1 is missing and cannot be installed: install it, or run as root"
}

browser=""
for program in chromium chromium-browser google-chrome; do
  browser=$(command -v "$program") && break
done
if [ -z "$browser" ]; then
  have chromium
  browser=$(command -v chromium)
fi
if [ ! -s "$CACHE/node_modules/axe-core/axe.min.js" ]; then
  have npm
  say "fetching axe-core $AXE"
  mkdir -p "$CACHE"
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$CACHE" "axe-core@$AXE" >&2 || die "axe-core cannot be fetched"
fi
echo "CLICKLOOP_TEST_BROWSER=$browser"
echo "CLICKLOOP_TEST_AXE=$CACHE/node_modules/axe-core/axe.min.js"
