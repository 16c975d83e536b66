package report

import (
	"math/bits"

	"github.com/clickloop/clickloop/event"
)

// ages counts whole numbers from 0 in bins that are at most 1/64 wide of what they hold, exactly
// below 128. Counts do not depend on the order in which numbers come.
type ages struct {
	bins []int64
	n    int64
	most int64
}

func (a *ages) add(v int64) {
	v = max(v, 0)
	i := ageBin(v)
	for len(a.bins) <= i {
		a.bins = append(a.bins, make([]int64, 64)...)
	}
	a.bins[i]++
	a.n++
	a.most = max(a.most, v)
}

func ageBin(v int64) int {
	if v < 128 {
		return int(v)
	}
	shift := bits.Len64(uint64(v)) - 7
	return shift*64 + int(v>>shift)
}

// floorOf is the least number of a bin.
func floorOf(i int) int64 {
	if i < 128 {
		return int64(i)
	}
	shift := i/64 - 1
	return int64(i-shift*64) << shift
}

// quantile is the number that the share q of all is at most, too low by up to 1/64 of it.
func (a *ages) quantile(q float64) int64 {
	rank, below := int64(q*float64(a.n)), int64(0)
	for i, n := range a.bins {
		if below += n; below > rank || below == a.n && n > 0 {
			return min(floorOf(i), a.most)
		}
	}
	return 0
}

// delays are how long after labels were due their examples were written. Where the times of the
// data are recorded ones, it is the age of the recording, and says nothing.
type delays struct{ late [sides]ages }

func (d *delays) add(due, written event.Time, at side) { d.late[at].add(int64(written - due)) }
