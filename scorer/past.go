package scorer

import (
	"encoding/binary"
	"math"
)

// past is the choice that another process made for a request, as its predictions tell.
type past struct {
	choice fingerprint
	policy string
	picks  []pick // in the order of the topic
}

// pick is a candidate that was chosen.
type pick struct {
	index      int
	propensity float64
}

// append appends p to b in a form for parsePast.
func (p *past) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(p.choice))
	b = append(b, byte(len(p.policy)))
	b = append(b, p.policy...)
	for _, c := range p.picks {
		b = binary.LittleEndian.AppendUint32(b, uint32(c.index))
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(c.propensity))
	}
	return b
}

func parsePast(b []byte) (*past, bool) {
	if len(b) < 9 || len(b) < 9+int(b[8]) {
		return nil, false
	}
	p := &past{choice: fingerprint(binary.LittleEndian.Uint64(b)), policy: string(b[9 : 9+b[8]])}
	for b = b[9+int(b[8]):]; len(b) >= 12; b = b[12:] {
		p.picks = append(p.picks, pick{int(binary.LittleEndian.Uint32(b)), math.Float64frombits(binary.LittleEndian.Uint64(b[4:]))})
	}
	return p, true
}

// fits says whether a request of this content is the one that was answered. Where not all that was
// chosen is known, since writing was interrupted, only a request for fewer candidates is found out.
func (p *past) fits(content fingerprint, choose int64, scratch *[]int) bool {
	if int64(len(p.picks)) != choose {
		return int64(len(p.picks)) < choose
	}
	indices := (*scratch)[:0]
	for _, c := range p.picks {
		indices = append(indices, c.index)
	}
	*scratch = indices
	return choiceOf(content, indices) == p.choice
}

// apply puts the picks in front of q's candidates, in their order, and says whether it could: when
// all of them are known.
func (p *past) apply(q *request) bool {
	if p == nil || int64(len(p.picks)) != q.choose {
		return false
	}
	for rank, c := range p.picks {
		at := rank
		for at < len(q.candidates) && q.candidates[at].index != c.index {
			at++
		}
		if at == len(q.candidates) {
			return false
		}
		chosen := q.candidates[at]
		copy(q.candidates[rank+1:at+1], q.candidates[rank:at])
		q.candidates[rank] = chosen
		q.candidates[rank].propensity = c.propensity
	}
	q.policy = p.policy
	return true
}
