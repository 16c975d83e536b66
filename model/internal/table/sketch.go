package table

import "github.com/clickloop/clickloop/model/internal/arith"

// sketch counts sightings of tokens in fixed memory, never too few until it forgets half. It is a
// count-min sketch with conservative update that halves its counts as TinyLFU does (Einziger,
// Friedman, Manes, 2017). It forgets after one sighting for every eight counts; by then one in
// forty tokens that came once counts as seen before.
type sketch struct {
	counts []uint8 // a power of two of them; nil until the first sighting
	adds   int
}

const sketchRows = 4

// sketchCounts is the number of counts beside a table of 2^bits entries. The sketch remembers half
// as many sightings as the table has entries, and at least 260,000.
func sketchCounts(bits int) int { return 4 << max(bits, 19) }

// add counts one sighting of key and returns how many there were.
func (s *sketch) add(key uint64) int {
	if s.adds++; s.adds >= len(s.counts)/8 {
		s.forget()
	}
	var at [sketchRows]*uint8
	m, least := uint64(len(s.counts)-1), uint8(255)
	for i := range at {
		at[i] = &s.counts[arith.Mix(key, uint64(i+1)*arith.OddC)&m]
		least = min(least, *at[i])
	}
	if least == 255 {
		return 255
	}
	for _, p := range at {
		if *p == least {
			*p++
		}
	}
	return int(least) + 1
}

// forget halves all counts.
func (s *sketch) forget() {
	for i := range s.counts {
		s.counts[i] /= 2
	}
	s.adds /= 2
}
