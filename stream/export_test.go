package stream

import (
	"testing"
	"time"
)

// SetHeldPatience changes for how long an open transaction may hold readers back in silence. It is
// to be called before anything is read.
func SetHeldPatience(t *testing.T, d time.Duration) {
	before := heldPatience
	heldPatience = d
	t.Cleanup(func() { heldPatience = before })
}

// SetSettleTime changes for how long producers choose no partition that was added.
func SetSettleTime(t *testing.T, d time.Duration) {
	before := settleTime
	settleTime = d
	t.Cleanup(func() { settleTime = before })
}

// CountAge is how old a number of partitions may be.
const CountAge = countAge
