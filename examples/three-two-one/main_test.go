package main

import (
	"io"
	"testing"
)

func TestTheSmallNetworkLearnsTheRule(t *testing.T) {
	for _, loss := range []string{"mse", "cross_entropy"} {
		test, err := learn(io.Discard, loss)
		if err != nil {
			t.Fatal(err)
		}
		if test.Accuracy < 0.9 {
			t.Errorf("%s: accuracy %.3f on the test, want at least 0.9", loss, test.Accuracy)
		}
	}
}
