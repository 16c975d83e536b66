# make            build, lint, test
# make demo       the whole loop on real recorded data; ARGS=--exit ends by itself
# make demo-bidding  a simulated day of auctions against the bidder; ARGS=--seed\ 7 is another day
# make test       unit and whole-loop tests with Go alone
# make docs       writes what the code says into docs/reference and the map of DESIGN.md
# make integration  the same whole-loop tests against real Kafka and Redis
# make long       ten minutes of random kills, pauses and losses of all stages and of real Kafka and Redis, of bidders, and of an export of a million predictions
GO      ?= go
BIN     := bin/clickloop
ARGS    ?=
BENCHSTAT := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
RACE    := ./bidder/... ./model/... ./stream/... ./ingest/... ./scorer/... ./feedback/... ./learner/... ./features/... ./app/... ./internal/...
NORACE  := . ./event/... ./model/... ./cmd/... ./examples/... ./bench/...

.PHONY: all build demo demo-bidding test lint docs integration long bench bench-parts bench-peers clean

all: build lint test

build:
	$(GO) build -trimpath -o $(BIN) ./cmd/clickloop

demo: build
	$(BIN) up --replay examples/bank-marketing --lockstep $(ARGS)

demo-bidding: build
	$(BIN) simulate auctions --up --config examples/bidding/clickloop.yaml --seed 1 --per-hour 800 $(ARGS)

test:
	$(GO) vet ./...
	$(GO) test $(NORACE)
	$(GO) test -race $(RACE)

lint:
	$(GO) vet ./...
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "run gofmt -w on:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

docs:
	$(GO) test -run 'TestReference|TestTheMap' . -update

integration: build
	scripts/integration.sh

# CLICKLOOP_CHAOS_TIME=2m makes it shorter, CLICKLOOP_CHAOS_SEED=N makes the same faults again
long:
	$(GO) vet -tags long ./cmd/clickloop
	$(GO) test -tags long -run TestChaos -count 1 -timeout 60m -v ./cmd/clickloop
	CLICKLOOP_LEDGER_SEEDS=50 $(GO) test -run 'TestNoFault|TestNoKill' -count 1 -timeout 60m -v ./bidder/ledger
	python=$$(scripts/python.sh build) && CLICKLOOP_TEST_PYTHON=$${python#PYTHON=} CLICKLOOP_TEST_EXPORT=1000000 $(GO) test -run TestAnExportThatIsKilled -count 1 -timeout 60m -v ./cmd/clickloop

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./model ./event ./features ./stream ./scorer ./learner

# the tables of bench/parts.txt: each part and kernel, its plain form against vector instructions and BLAS
bench-parts:
	$(GO) test -run '^$$' -bench 'Kernel|Learn|Predict|Delta' -count 6 -benchtime 200ms ./model | tee bin/parts.txt
	{ $(GO) run $(BENCHSTAT) -col /form -filter '.name:Kernel' bin/parts.txt; $(GO) run $(BENCHSTAT) -filter '-.name:Kernel' bin/parts.txt; } > bench/parts.txt

bench-peers: build
	bench/peers.sh

clean:
	rm -rf bin
