#!/usr/bin/env bash
# Starts real Kafka and Redis, runs the tests that take either backend against them, and stops them again; then some of them with TLS and users.
# The tests also ask Prebid Server, scikit-learn, DuckDB with pandas and pyarrow, Chromium and Prometheus, which scripts fetch and keep.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
stop() { for d in "$dir/plain" "$dir/secure"; do scripts/services.sh stop "$d" >&2 || true; done; rm -rf "$dir"; }
trap stop EXIT
for tool in kcat jq; do # what tail prints is run beside it
  command -v "$tool" >/dev/null || { apt-get install -y -qq "$tool" || { apt-get update -qq && apt-get install -y -qq "$tool"; }; } >&2
done
for peer in 'prebid.sh build' 'sklearn.sh build' 'python.sh build' 'browser.sh' 'prometheus.sh install'; do
  # shellcheck disable=SC2086
  found=$(scripts/$peer)
  eval "$found" # NAME=PATH, a line each
done
export CLICKLOOP_TEST_PREBID=$PREBID CLICKLOOP_TEST_SKLEARN=$SKLEARN CLICKLOOP_TEST_PYTHON=$PYTHON CLICKLOOP_TEST_PROMETHEUS=$PROMETHEUS CLICKLOOP_TEST_BROWSER CLICKLOOP_TEST_AXE
addresses=$(scripts/services.sh start "$dir/plain")
eval "$addresses"
export CLICKLOOP_TEST_KAFKA=$KAFKA CLICKLOOP_TEST_REDIS=$REDIS CLICKLOOP_TEST_KILLS=${CLICKLOOP_TEST_KILLS:-10} CLICKLOOP_TEST_STOP=${CLICKLOOP_TEST_STOP:-30s}
echo "Kafka at $KAFKA, Redis at $REDIS" >&2
go test -count=1 -p 1 -timeout 20m ./stream/... ./features/... ./ingest/... ./scorer/... ./feedback/... ./learner/... ./bidder/ledger/... ./internal/browser ./app/dashboard/... ./app/export/... ./app/report ./app/run/... ./cmd/... "$@"
go test -count=1 -run 'TestPromtool|TestEachAlert' . "$@"

# The same with TLS and users: everything that opens connections, and the loop with one user a stage.
scripts/services.sh stop "$dir/plain"
addresses=$(scripts/services.sh start "$dir/secure" --secure)
eval "$addresses"
export CLICKLOOP_TEST_KAFKA=$KAFKA CLICKLOOP_TEST_REDIS=$REDIS CLICKLOOP_TEST_CONFIG=$CONFIG
export CLICKLOOP_TEST_KILLS=2 CLICKLOOP_TEST_STOP=5s CLICKLOOP_LEDGER_SEEDS=1 # the faults are those from before: here it is connections that count
echo "Kafka at $KAFKA, Redis at $REDIS, with TLS and users" >&2
go test -count=1 -p 1 -timeout 10m ./stream/... ./features/... ./ingest/... ./scorer/... ./feedback/... ./learner/... ./bidder/ledger/... ./app/inspect/... "$@"
go test -count=1 -timeout 10m -run 'TestStagesRunWithTheirOwnRightsOnly|TestStagesThatAreKilledLoseNothing|TestLockstep' ./cmd/clickloop "$@"
