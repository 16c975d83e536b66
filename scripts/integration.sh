#!/usr/bin/env bash
# Starts real Kafka and Redis, runs the tests that take either backend against them, and stops them again; then some of them with TLS and users.
# Tests of the bidder ask it through Prebid Server, too, and those of the dashboard open its page in a browser.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
stop() { for d in "$dir/plain" "$dir/secure"; do scripts/services.sh stop "$d" >&2 || true; done; rm -rf "$dir"; }
trap stop EXIT
for tool in kcat jq; do # what tail prints is run beside it
  command -v "$tool" >/dev/null || { apt-get install -y -qq "$tool" || { apt-get update -qq && apt-get install -y -qq "$tool"; }; } >&2
done
addresses=$(scripts/services.sh start "$dir/plain")
prebid=$(scripts/prebid.sh build)
browser=$(scripts/browser.sh)
eval "$addresses"
eval "$browser"
export CLICKLOOP_TEST_BROWSER CLICKLOOP_TEST_AXE
export CLICKLOOP_TEST_PREBID=${prebid#PREBID=}
export CLICKLOOP_TEST_KAFKA=$KAFKA CLICKLOOP_TEST_REDIS=$REDIS CLICKLOOP_TEST_KILLS=${CLICKLOOP_TEST_KILLS:-10} CLICKLOOP_TEST_STOP=${CLICKLOOP_TEST_STOP:-30s}
echo "Kafka at $KAFKA, Redis at $REDIS" >&2
go test -count=1 -p 1 -timeout 20m ./stream/... ./features/... ./ingest/... ./scorer/... ./feedback/... ./learner/... ./bidder/ledger/... ./internal/browser ./app/dashboard/... ./app/run/... ./cmd/... "$@"

# The same with TLS and users: everything that opens connections, and the loop with one user a stage.
scripts/services.sh stop "$dir/plain"
addresses=$(scripts/services.sh start "$dir/secure" --secure)
eval "$addresses"
export CLICKLOOP_TEST_KAFKA=$KAFKA CLICKLOOP_TEST_REDIS=$REDIS CLICKLOOP_TEST_CONFIG=$CONFIG
echo "Kafka at $KAFKA, Redis at $REDIS, with TLS and users" >&2
go test -count=1 -p 1 -timeout 10m ./stream/... ./features/... ./ingest/... ./scorer/... ./feedback/... ./learner/... ./bidder/ledger/... ./app/dashboard/... ./app/inspect/... "$@"
go test -count=1 -timeout 10m -run 'TestStagesRunWithTheirOwnRightsOnly|TestStagesThatAreKilledLoseNothing|TestLockstep' ./cmd/clickloop "$@"
