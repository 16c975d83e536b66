package campaign

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/bidder/auction"
)

// ranked is a campaign with its place in the order of an imp.
type ranked struct {
	order uint32
	place
}

// auctionAt is one auction while candidates are collected.
type auctionAt struct {
	q    *auction.Request
	m    *auction.Imp
	hash uint32 // of both
}

// collect appends the candidates among the campaigns that are left.
func (v *View) collect(dst []Candidate, s *selection, q *auction.Request, m *auction.Imp) []Candidate {
	left := s.sides[wide].finish() + s.sides[narrow].finish()
	if left == 0 {
		return dst
	}
	a := auctionAt{q: q, m: m, hash: mix(uint32(xxhash.Sum64String(q.ID)), uint32(m.Index))}
	most := len(dst) + v.of.cfg.Most
	begun := len(dst)
	quota := max(1, v.of.cfg.Most/left)
	dst, cut := v.rank(dst, s, &a, left, most, quota)
	if cut && len(dst) < most {
		dst, _ = v.rank(dst[:begun], s, &a, left, most, MaxCreatives)
	}
	return dst
}

// mostLooks is how many campaigns are looked at for a candidate, at most: where creatives do not
// fit an imp, all campaigns would be looked at in vain.
const mostLooks = 16

// rank appends candidates in the order of the campaigns' hashes, of a campaign at most quota, up to
// most in all. It says whether a campaign has more. Campaigns are put in order a part at a time,
// since most of them may not be needed.
func (v *View) rank(dst []Candidate, s *selection, a *auctionAt, left, most, quota int) (out []Candidate, cut bool) {
	const all = 1 << 32
	// twice as many as are needed by expectation
	width := uint64(all)
	if want := 2*(most-len(dst)) + 16; want < left {
		width = all / uint64(left) * uint64(want)
	}
	looks := mostLooks * v.of.cfg.Most
	for from := uint64(0); from < all && looks > 0; from, width = from+width, 4*width {
		s.part(v, a.hash, from, from+width)
		for _, r := range s.found[:min(len(s.found), looks)] {
			looks--
			var more bool
			dst, more = v.entry(r.place).candidates(dst, a, min(most, len(dst)+quota), r.order)
			if cut = cut || more; len(dst) == most {
				return dst, cut
			}
		}
	}
	return dst, cut
}

// part finds the campaigns whose order is in from <= order < to, in their order.
func (s *selection) part(v *View, hash uint32, from, to uint64) {
	s.found = s.found[:0]
	for g := range groups {
		for _, w := range s.sides[g].words {
			p := v.pages[g][w/pageWords]
			for word := s.sides[g].result[w]; word != 0; word &= word - 1 {
				slot := w*64 + uint32(bits.TrailingZeros64(word))
				order := mix(hash, p.orders[slot%pageEntries])
				if uint64(order) >= from && uint64(order) < to {
					s.found = append(s.found, ranked{order, place{g, slot}})
				}
			}
		}
	}
	slices.SortFunc(s.found, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.group, b.group), cmp.Compare(a.slot, b.slot))
	})
}

// mix is a hash of two hashes, by the finalizer of MurmurHash3.
func mix(a, b uint32) uint32 {
	h := a*0x9e3779b1 ^ b
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}
