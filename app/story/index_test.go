package story

import (
	"fmt"
	"testing"
)

// A table that turns within a batch, twice, claims no offset whose record it has forgotten.
func TestAnIndexCoversNothingThatItHasForgotten(t *testing.T) {
	x := newIndex()
	x.open("predictions", []int64{0})
	const batch = 700_000
	for from := int64(0); from < 4*batch; from += batch {
		ids, offsets := make([]string, batch), make([]int64, batch)
		for i := range ids {
			offsets[i] = from + int64(i)
			ids[i] = fmt.Sprint("r", offsets[i])
		}
		x.add("predictions", 0, ids, offsets, from+batch)
	}
	c := x.topics["predictions"].covered[0]
	if c.from == 0 || c.to != 4*batch {
		t.Fatalf("%d to %d are covered", c.from, c.to)
	}
	for offset := c.from; offset < c.to; offset += 997 {
		if len(x.places("predictions", fmt.Sprint("r", offset))) == 0 {
			t.Fatalf("%d is covered from %d on, and not found", offset, c.from)
		}
	}
	if len(x.places("predictions", fmt.Sprint("r", c.from))) == 0 {
		t.Errorf("%d, the first that is covered, is not found", c.from)
	}
}
