package scorer

import (
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
)

// fingerprint is a hash that is put together step by step. It is the same in every process, since
// predictions carry it.
type fingerprint uint64

func (f fingerprint) number(n uint64) fingerprint {
	h := uint64(f) ^ n
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return fingerprint(h ^ h>>33)
}

func (f fingerprint) text(s string) fingerprint { return f.number(xxhash.Sum64String(s)) }

// fields takes facts in any order: a client that writes the same context from a map asks the same.
func (f fingerprint) fields(facts event.Fields) fingerprint {
	sum := uint64(len(facts))
	for i := range facts {
		sum += uint64(fingerprint(1).text(facts[i].Name).value(&facts[i].Value))
	}
	return f.number(sum)
}

func (f fingerprint) value(v *event.Value) fingerprint {
	f = f.number(uint64(v.Kind))
	switch v.Kind {
	case event.String:
		return f.text(v.Str)
	case event.Number:
		return f.number(math.Float64bits(v.Num))
	case event.List:
		for _, t := range v.List {
			f = f.text(t.Token).number(math.Float64bits(t.Weight))
		}
	}
	return f
}

// fingerprint is that of what q asks to choose from: its candidates, in their order, and how many
// of them. A request that is sent again with these can be given the first answer.
func (q *request) fingerprint() fingerprint {
	f := fingerprint(1).number(uint64(q.choose))
	for i := range q.candidates {
		f = f.text(q.candidates[i].ad).text(q.candidates[i].campaign)
	}
	return f
}

// factsOf is the fingerprint of all else that the answer or the predictions depend on, but for the
// time and the row, which a request that is sent again may bring anew.
func factsOf(q *request) fingerprint {
	f := fingerprint(2).text(q.user).text(q.anonymous).text(q.source).fields(q.context)
	if q.w != nil {
		f = f.number(math.Float64bits(*q.w))
	}
	for i := range q.candidates {
		f = f.number(math.Float64bits(q.candidates[i].value)).fields(q.candidates[i].context)
	}
	return f
}

// choiceOf is the fingerprint of a request whose chosen candidates have these indices, which it
// sorts.
func choiceOf(content fingerprint, indices []int) fingerprint {
	slices.Sort(indices)
	f := content
	for _, i := range indices {
		f = f.number(uint64(i) + 1)
	}
	return f
}

// othersHash is the same for the same ads and campaigns in any order.
func othersHash(others []candidate) fingerprint {
	sum := uint64(0)
	for i := range others {
		sum += uint64(fingerprint(1).text(others[i].ad).text(others[i].campaign))
	}
	return fingerprint(sum)
}

// String is f as messages carry it.
func (f fingerprint) String() string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = digits[uint64(f)>>(60-4*i)&15]
	}
	return string(b[:])
}

// parseFingerprint reads what String writes.
func parseFingerprint(s string) (fingerprint, bool) {
	if len(s) != 16 {
		return 0, false
	}
	f := fingerprint(0)
	for i := range len(s) {
		switch c := s[i]; {
		case c-'0' <= 9:
			f = f<<4 | fingerprint(c-'0')
		case c-'a' < 6:
			f = f<<4 | fingerprint(c-'a'+10)
		default:
			return 0, false
		}
	}
	return f, true
}
