package model

import (
	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/quantile"
)

// fields numbers the hashes of field names as they come, and holds each field's encoder of numbers.
type fields struct {
	hashes  []uint64
	numbers []quantile.Reservoir
	slots   []uint16 // open addressing: number+1, 0 empty
}

// find returns a field's number, or -1.
func (t *fields) find(hash uint64) int {
	if len(t.slots) == 0 {
		return -1
	}
	m := uint64(len(t.slots) - 1)
	for j := hash * arith.OddA >> 32; ; j++ {
		i := t.slots[j&m]
		if i == 0 {
			return -1
		}
		if t.hashes[i-1] == hash {
			return int(i - 1)
		}
	}
}

// add numbers a new field, and doubles the table when it is half full.
func (t *fields) add(hash uint64) {
	t.hashes = append(t.hashes, hash)
	t.numbers = append(t.numbers, quantile.Reservoir{})
	if 2*len(t.hashes) > len(t.slots) {
		t.slots = make([]uint16, max(64, 2*len(t.slots)))
		for i, h := range t.hashes[:len(t.hashes)-1] {
			t.place(h, i)
		}
	}
	t.place(hash, len(t.hashes)-1)
}

func (t *fields) place(hash uint64, i int) {
	m := uint64(len(t.slots) - 1)
	j := hash * arith.OddA >> 32
	for t.slots[j&m] != 0 {
		j++
	}
	t.slots[j&m] = uint16(i + 1)
}

func (t *fields) clone() fields {
	c := fields{append([]uint64(nil), t.hashes...), nil, append([]uint16(nil), t.slots...)}
	for i := range t.numbers {
		c.numbers = append(c.numbers, t.numbers[i].Clone())
	}
	return c
}
