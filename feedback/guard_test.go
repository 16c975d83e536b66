package feedback

import (
	"strings"
	"testing"
)

func TestTheGuardTellsWhichBandIsLeft(t *testing.T) {
	g := Guard{MinExamples: 100, CalibrationLow: 0.5, CalibrationHigh: 2, RateLow: 0.01, RateHigh: 0.5, CoverageLow: 0.6}
	f := func(predictions, examples, positives int64, predicted float64, want string) {
		t.Helper()
		got := g.judge(tally{predictions: predictions, examples: examples, positives: positives, expected: predicted, predicted: predicted, actual: float64(positives)})
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%d predictions, %d examples, %d positives, %v predicted: %q, want %q", predictions, examples, positives, predicted, got, want)
		}
	}
	f(0, 0, 0, 0, "")
	f(99, 1, 0, 99, "") // too few to judge
	f(100, 100, 10, 10, "")
	f(100, 100, 10, 21, "predicted over actual is 2.1")
	f(100, 100, 10, 4, "predicted over actual is 0.4")
	f(100, 59, 10, 10, "trigger")
	f(100, 0, 0, 0, "trigger")
	f(100, 100, 51, 51, "rate of positives is 0.51")
	f(1000, 1000, 9, 9, "rate of positives is 0.009")
	g.RateLow, g.CoverageLow = 0, 0
	f(100, 0, 0, 0, "")
	f(1000, 1000, 0, 9.9, "")
	f(1000, 1000, 0, 10, "no positives where 10")
	for _, weighted := range []tally{
		{1000, 1000, 10, 10, 10000, 100, 100, 0, 0}, // all of weight 10
		// all of weight 1000: one positive was expected, and none came
		{1000, 1000, 0, 1, 1e6, 1000, 0, 0, 0},
		{1000, 1000, 10, 10, 0, 0, 0, 0, 0}, // all of weight 0
	} {
		if got := g.judge(weighted); got != "" {
			t.Errorf("%+v: %q", weighted, got)
		}
	}
}

// good and bad are batches of a block each.
var good, bad = tally{100, 100, 10, 10, 100, 10, 10, 0, 0}, tally{100, 100, 0, 30, 100, 30, 0, 0, 0}

func TestTheGuardHoldsABatchUntilItIsGoodOrReleased(t *testing.T) {
	cfg := DefaultConfig().Guard
	cfg.MinExamples, cfg.Hold = 100, true
	g := &guard{cfg: cfg}
	f := func(batch tally, wantAlarm, wantChanged, wantHold bool) {
		t.Helper()
		alarm, changed, hold := g.check(batch)
		if alarm != "" != wantAlarm || changed != wantChanged || hold != wantHold {
			t.Errorf("%+v: alarm %q, changed %v, hold %v; want %v, %v, %v", batch, alarm, changed, hold, wantAlarm, wantChanged, wantHold)
		}
	}
	f(good, false, false, false)
	f(bad, true, true, true)
	f(bad, true, false, true)
	f(good, false, true, false) // its outcomes came after all
	f(bad, true, true, true)
	g.release()
	f(bad, true, false, false)
	f(bad, true, false, false) // until a block is good
	f(good, false, true, false)
	f(bad, true, true, true)
	g.cfg.Hold = false
	f(bad, true, false, false)
}

func TestTheGuardGathersSmallBatchesIntoBlocks(t *testing.T) {
	cfg := DefaultConfig().Guard
	cfg.MinExamples, cfg.Hold = 100, true
	g := &guard{cfg: cfg}
	small := tally{predictions: 10, examples: 10, expected: 5, predicted: 5}
	for i := range 9 {
		if alarm, _, hold := g.check(small); alarm != "" || hold {
			t.Fatalf("batch %d: alarm %q, hold %v", i, alarm, hold)
		}
	}
	if alarm, _, hold := g.check(small); alarm == "" || !hold {
		t.Fatalf("the block is full: alarm %q, hold %v", alarm, hold)
	}
	if _, _, hold := g.check(tally{predictions: 10, examples: 10, expected: 5, predicted: 5, positives: 40, actual: 40}); hold {
		t.Error("the batch makes the block good and is held back")
	}
	if alarm, _, _ := g.check(small); alarm != "" {
		t.Errorf("a new block begins with alarm %q", alarm)
	}
}
