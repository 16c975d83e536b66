package stream

import (
	"testing"
	"time"
)

// SetHeldPatience changes for how long an open transaction may hold readers back in silence. It is to be
// called before anything is read.
func SetHeldPatience(t *testing.T, d time.Duration) {
	before := heldPatience
	heldPatience = d
	t.Cleanup(func() { heldPatience = before })
}
