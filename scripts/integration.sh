#!/usr/bin/env bash
# Starts real Kafka and Redis, runs the tests that take either backend against them, and stops them again.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
stop() { scripts/services.sh stop "$dir" >&2 || true; rm -rf "$dir"; }
trap stop EXIT
for tool in kcat jq; do # what tail prints is run beside it
  command -v "$tool" >/dev/null || { apt-get install -y -qq "$tool" || { apt-get update -qq && apt-get install -y -qq "$tool"; }; } >&2
done
addresses=$(scripts/services.sh start "$dir")
eval "$addresses"
export CLICKLOOP_TEST_KAFKA=$KAFKA CLICKLOOP_TEST_REDIS=$REDIS CLICKLOOP_TEST_KILLS=${CLICKLOOP_TEST_KILLS:-10} CLICKLOOP_TEST_STOP=${CLICKLOOP_TEST_STOP:-30s}
echo "Kafka at $KAFKA, Redis at $REDIS" >&2
go test -count=1 -p 1 -timeout 20m ./stream/... ./features/... ./ingest/... ./scorer/... ./feedback/... ./learner/... ./app/run/... ./cmd/... "$@"
