package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/app/simulate"
)

func TestSimulateRefusesWhatContradicts(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		var stderr bytes.Buffer
		if status := execute(t.Context(), append([]string{"simulate"}, args...), &stderr, &stderr); status == 0 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%v: status %d, %q, want %q", args, status, stderr.String(), want)
		}
	}
	f("want auctions")
	f("want auctions", "auction")
	f(`--at is "3"`, "auctions", "--at", "3")
	f("--start", "auctions", "--start", "noon")
	f("--per-hour is 0", "auctions", "--per-hour", "0")
	f("--outage is 24", "auctions", "--outage", "24")
	f("contradict", "auctions", "--up", "--bidder", "http://127.0.0.1:1")
	f("needs a configuration that bids", "auctions", "--up")
	f(`--bidder is "localhost"`, "auctions", "--bidder", "localhost")
}

// The example bids in a simulated exchange, spends, is told of clicks, and learns from them.
func TestTheExampleBidsInASimulatedExchange(t *testing.T) {
	var stdout, stderr bytes.Buffer
	status := execute(t.Context(), []string{
		"simulate", "auctions", "--up", "--config", "../../examples/bidding/clickloop.yaml", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0",
		"--seed", "3", "--hours", "0.5", "--per-hour", "1200", "--start", "2026-06-01T18:00:00Z", "--gzip", "--json",
	}, &stdout, &stderr)
	var r simulate.Report
	if status != 0 || json.Unmarshal(stdout.Bytes(), &r) != nil {
		t.Fatalf("status %d: %s%s", status, stdout.String(), stderr.String())
	}
	if f := r.Faults; f.Unanswered > 0 || f.Rejected > 0 || f.Notices > 0 || len(f.Refused) > 0 {
		t.Errorf("%+v", f)
	}
	a := r.All
	if !r.Recorded || a.Requests < 700 || a.Bids < a.Slots/3 || a.Wins < 50 || a.Clicks == 0 || a.Spend <= 0 || r.All.Oracle.Wins == 0 || r.All.BidderLogLoss == nil {
		t.Errorf("%s", stdout.String())
	}
	if strings.Contains(stderr.String(), "fewer examples") {
		t.Errorf("%s", stderr.String())
	}
}
