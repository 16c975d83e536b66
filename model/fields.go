package model

import (
	"maps"
	"slices"

	"github.com/clickloop/clickloop/model/internal/quantile"
)

// fields numbers the hashes of field names as they come, and holds each field's encoder of numbers.
type fields struct {
	hashes  []uint64
	numbers []quantile.Reservoir
	places  map[uint64]int // of the hashes
}

// find returns a field's number, or -1.
func (t *fields) find(hash uint64) int {
	if i, ok := t.places[hash]; ok {
		return i
	}
	return -1
}

// add numbers a new field.
func (t *fields) add(hash uint64) {
	if t.places == nil {
		t.places = map[uint64]int{}
	}
	t.places[hash] = len(t.hashes)
	t.hashes, t.numbers = append(t.hashes, hash), append(t.numbers, quantile.Reservoir{})
}

func (t *fields) clone() fields {
	c := fields{hashes: slices.Clone(t.hashes), places: maps.Clone(t.places)}
	for i := range t.numbers {
		c.numbers = append(c.numbers, t.numbers[i].Clone())
	}
	return c
}
