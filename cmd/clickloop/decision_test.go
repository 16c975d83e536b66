package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
)

// predictionOf is the prediction of the better one of two candidates of a request that epsilon
// decided.
func predictionOf(request string, chosen int, propensity float64) string {
	p := event.Prediction{ID: event.PredictionID(request, chosen), Request: request, Time: 1764061200000, Ad: fmt.Sprint("a", chosen), Policy: "epsilon:0.5", Propensity: propensity,
		Score: 0.2, Others: []event.Other{{Ad: fmt.Sprint("a", 1-chosen), Index: int64(1 - chosen), Score: 0.1}}}
	return string(p.AppendJSON(nil)) + "\n"
}

// Of the two candidates that may have been chosen, one is chosen again by the seed.
func TestDecisionMakesChoicesAgain(t *testing.T) {
	dir := t.TempDir()
	same, differ := 0, 0
	for i := range 20 {
		file := writeFile(t, dir, "p.jsonl", predictionOf(fmt.Sprint("r", i), 0, 0.75))
		switch status, out, errs := said(t, "decision", "--seed", "3", file); {
		case status == 0 && strings.Contains(out, "\tsame\t0 a0 0.75\tepsilon:0.5 of 2"):
			same++
		case status == 1 && strings.Contains(out, "\tdiffers\tlogged\t0 a0 0.75\tagain\t1 a1 0.25\t") && strings.Contains(errs, "--seed"):
			differ++
		default:
			t.Errorf("status %d: %s%s", status, out, errs)
		}
	}
	if same < 10 || differ < 1 {
		t.Errorf("%d are the same, %d differ", same, differ)
	}
}

func TestDecisionSaysWhatItCannotMakeAgain(t *testing.T) {
	dir := t.TempDir()
	greedy := strings.Replace(predictionOf("r1", 0, 1), "epsilon:0.5", "greedy", 1)
	file := writeFile(t, dir, "p.jsonl", greedy+greedy+"\n"+predictionOf("r2", 0, 0.75))
	status, out, errs := said(t, "decision", "--request", "r1", file)
	if status != 0 || !strings.Contains(out, "r1\tnot made again\trequest r1 was decided by the policy greedy") || strings.Contains(out, "r2") || !strings.Contains(errs, "0 the same, 0 differ, 1 not made again") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
	broken := writeFile(t, dir, "broken.jsonl", "{}\n")
	if status, _, errs := said(t, "decision", broken); status != 1 || !strings.Contains(errs, "broken.jsonl:1 is no prediction") {
		t.Errorf("status %d: %s", status, errs)
	}
}
