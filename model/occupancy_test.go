package model

import "testing"

func TestOccupancyCountsUntilTheTableIsFull(t *testing.T) {
	c := DefaultConfig()
	c.TableBits = 6
	net, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s := net.NewScratch()
	learn := func(from, to uint64) {
		for h := from; h < to; h++ {
			if _, err := net.Learn([]Feature{{Field: 1, Hash: h + 1, Value: 1}}, 1, 1, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	learn(0, 11) // the first example makes the field known
	if o := net.Occupancy(); o.Fields != 1 || o.Tokens != 10 || o.MaxTokens != 64 || o.Pooled {
		t.Errorf("after ten tokens: %+v", o)
	}
	learn(11, 500)
	if o := net.Occupancy(); !o.Pooled || o.Tokens > 64 {
		t.Errorf("after 500 tokens: %+v, want a full table of at most 64", o)
	}
}
