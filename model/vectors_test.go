package model

import (
	"testing"

	"github.com/clickloop/clickloop/model/internal/kernel"
)

func TestTheWholeNetIsTheSameWithoutVectors(t *testing.T) {
	if !kernel.Vector {
		t.Skip("this machine has no vector instructions that are used")
	}
	defer useVectors(true)
	xs, ys := stream(30, sized(1500))
	for name, change := range shapes {
		with := mustNew(t, change)
		mustLearn(t, with, xs, ys)
		useVectors(false)
		without := mustNew(t, change)
		mustLearn(t, without, xs, ys)
		useVectors(true)
		if with.Hash() != without.Hash() {
			t.Fatalf("%s: the weights differ", name)
		}
	}
}
