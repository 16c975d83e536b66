#!/usr/bin/env bash
# Prebid Server, built from its Go module, as a client of the bidder in tests.
#
#   scripts/prebid.sh build              builds it and prints PREBID=folder: prebid-server and its sources
#   scripts/prebid.sh start DIR URL      starts it in DIR with four adapters that ask the bidder at URL, and prints PREBID=host:port
#   scripts/prebid.sh stop DIR
#
# It needs Go and the module proxy, and no C compiler. What is built is kept in the user's cache; DIR has the configuration, the log and the process id. Only the process
# whose pid file is in DIR is touched. The adapters are automatad (OpenRTB 2.5, banners, no Content-Type), vrtcal (2.6, mtype, GPP), pulsepoint (2.6 with audio, GPP) and
# medianet (2.6, gzip).
#
# It opens no connection but those to URL: currency rates and the vendor list of TCF, which it would fetch, are off. Without that list it may let no vendor have a user's id
# under GDPR: it asks the bidder without one. The publisher "trusting" is an exception, whose requests pass with consent string and id.
set -euo pipefail
umask 077

VERSION=v3.30.0
SUM=h1:9u4iVjrN6YP0Bto5sa5HpVomJHFMWB48iDFFFCUmHBA= # of the module, as go.sum has it; the module's own go.sum has the others
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/clickloop/prebid-server-$VERSION

say() { echo "prebid: $*" >&2; }
die() { say "$*"; exit 1; }

# build takes a minute of two cores, once, and 36 MB.
build() {
  if [ ! -e "$CACHE/complete" ] || [ ! -d "$CACHE/source/" ]; then # the module's folder may have been cleaned since
    command -v go >/dev/null || die "Go is needed"
    say "building Prebid Server $VERSION"
    mkdir -p "$CACHE"
    local module source
    module=$(cd "$CACHE" && GOFLAGS="" GOWORK=off go mod download -json "github.com/prebid/prebid-server/v3@$VERSION") || die "the module cannot be fetched: $module"
    [ "$(member Sum <<<"$module")" = "$SUM" ] || die "the module has the sum $(member Sum <<<"$module"), want $SUM"
    source=$(member Dir <<<"$module")
    (cd "$source" && CGO_ENABLED=0 GOFLAGS="" GOWORK=off GOMEMLIMIT=2GiB timeout 20m go build -mod=readonly -trimpath -p 2 -o "$CACHE/prebid-server" .) || die "it does not build"
    ln -sfn "$source" "$CACHE/source"
    touch "$CACHE/complete"
  fi
  echo "PREBID=$CACHE"
}

# member prints a text of a JSON object whose members have a line each.
member() { sed -n "s/^\t\"$1\": \"\(.*\)\",\{0,1\}$/\1/p"; }

# free_port prints a port that nobody listens on, below those that the system gives to outgoing connections.
free_port() {
  local port
  for _ in $(seq 200); do
    port=$((12000 + RANDOM % 20000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  die "no free port found"
}

configuration() {
  cat <<YAML
host: 127.0.0.1
port: $1
external_url: http://127.0.0.1:$1
admin: {enabled: false}
gdpr:
  default_value: "0"
  non_standard_publishers: [trusting]
  tcf2:
    purpose2: {enforce_purpose: false}
currency_converter: {fetch_url: "", fetch_interval_seconds: 0}
auction_timeouts_ms: {default: 2000, max: 10000}
adapters:
  automatad: {endpoint: "$2"}
  vrtcal: {endpoint: "$2"}
  pulsepoint: {endpoint: "$2"}
  medianet: {endpoint: "$2"}
YAML
}

alive() { [ -f "$DIR/prebid.pid" ] && kill -0 "$(cat "$DIR/prebid.pid")" 2>/dev/null; }

# start tries other ports when another program takes the one that was free.
start() {
  local port
  build >/dev/null
  mkdir -p "$DIR"
  DIR=$(cd "$DIR" && pwd)
  alive && die "it runs in $DIR already"
  ln -sfn "$CACHE/source/static" "$DIR/static" # it reads these from its working directory
  for _ in 1 2 3; do
    port=$(free_port)
    configuration "$port" "$1" >"$DIR/pbs.yaml"
    (cd "$DIR" && exec env -i PATH="$PATH" GOMAXPROCS=2 GOMEMLIMIT=512MiB "$CACHE/prebid-server") >>"$DIR/prebid.log" 2>&1 </dev/null &
    echo $! >"$DIR/prebid.pid"
    disown
    await "$port" && { echo "PREBID=127.0.0.1:$port"; return; }
  done
  die "it does not start: $(tail -n 5 "$DIR/prebid.log")"
}

# await waits until /status answers 204.
await() {
  for _ in $(seq 200); do
    alive || return 1
    case $(status "$1" 2>/dev/null) in "HTTP/1.0 204"*|"HTTP/1.1 204"*) return ;; esac
    sleep 0.05
  done
  stop
  return 1
}

status() { exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET /status HTTP/1.0\r\n\r\n' >&3 && timeout 2 head -n 1 <&3; }

stop() {
  alive || { rm -f "$DIR/prebid.pid"; return 0; }
  local pid
  pid=$(cat "$DIR/prebid.pid")
  kill -TERM "$pid" 2>/dev/null || true
  for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null || true
  rm -f "$DIR/prebid.pid"
}

DIR=${2:-}
case ${1:-} in
  build) build ;;
  start) [ $# = 3 ] || die "usage: $0 start DIR URL"; start "$3" ;;
  stop) [ $# = 2 ] || die "usage: $0 stop DIR"; stop ;;
  *) die "usage: $0 build | start DIR URL | stop DIR" ;;
esac
