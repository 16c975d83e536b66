package scorer

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
)

// fingerprint is a hash that is built step by step. It is the same in every process and version,
// since predictions carry it.
type fingerprint uint64

func (f fingerprint) number(n uint64) fingerprint {
	h := uint64(f) ^ n
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return fingerprint(h ^ h>>33)
}

func (f fingerprint) text(s string) fingerprint { return f.number(xxhash.Sum64String(s)) }

// fields adds facts in any order: clients that write a context from a map have none.
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

// content is the fingerprint of what q asks to choose from: its candidates, in their order, or the
// catalogue and how it is asked; how many of them, and which of them are excluded or capped.
// Requests of one id and one content get one answer.
func (q *Request) content() fingerprint {
	f := fingerprint(1).number(uint64(q.Choose))
	if r := &q.Retrieval; r.Catalogue != "" {
		f = f.text(r.Catalogue).text(r.Filter).number(uint64(r.Limit))
	} else {
		for i := range q.Candidates {
			f = f.text(q.Candidates[i].Ad).text(q.Candidates[i].Campaign)
		}
	}
	for _, ad := range q.Exclude {
		f = f.number(1).text(ad)
	}
	for i := range q.Caps {
		f = f.number(2).text(q.Caps[i].Field).number(uint64(q.Caps[i].Most))
	}
	return f
}

// facts is the fingerprint of everything else that the answer or the predictions depend on, except
// for the time and the row, which may differ when a request is sent again.
func (q *Request) facts() fingerprint {
	f := fingerprint(2).text(q.User).text(q.Anonymous).text(q.Source).fields(q.Context)
	if q.Policy != "" {
		f = f.text(q.Policy)
	}
	if q.Weight != nil {
		f = f.number(math.Float64bits(*q.Weight))
	}
	if q.Explain != 0 {
		f = f.number(uint64(q.Explain))
	}
	for i := range q.Candidates {
		f = f.number(math.Float64bits(q.Candidates[i].Value)).fields(q.Candidates[i].Context)
	}
	for _, name := range q.Objectives {
		f = f.number(1).text(name)
	}
	if q.Value != "" {
		f = f.number(2).text(q.Value)
	}
	return f
}

// choiceOf is the fingerprint of a choice: the content of its request, and the indices of the
// chosen candidates, which it sorts.
func choiceOf(content fingerprint, indices []int) fingerprint {
	slices.Sort(indices)
	f := content
	for _, i := range indices {
		f = f.number(uint64(i) + 1)
	}
	return f
}

// choice is choiceOf for q. What a catalogue has at an index depends on the moment, so the ads are
// part of it.
func (q *Request) choice(indices []int) fingerprint {
	f := choiceOf(q.claim.content, indices)
	if q.Retrieval.Catalogue != "" {
		for _, i := range indices {
			f = f.text(q.Candidates[i].Ad)
		}
	}
	return f
}

// othersHash is the fingerprint of the candidates that were not chosen, in any order.
func (q *Request) othersHash() fingerprint {
	sum := uint64(0)
	for _, s := range q.Answer.Ranked[q.Answer.Chosen:] {
		c := &q.Candidates[s.Index]
		sum += uint64(fingerprint(1).text(c.Ad).text(c.Campaign))
	}
	return fingerprint(sum)
}

// String is f as messages carry it: 16 hexadecimal digits.
func (f fingerprint) String() string {
	var raw [8]byte
	var digits [16]byte
	binary.BigEndian.PutUint64(raw[:], uint64(f))
	hex.Encode(digits[:], raw[:])
	return string(digits[:])
}

// parseFingerprint reads what String writes.
func parseFingerprint(s string) (fingerprint, bool) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != 8 {
		return 0, false
	}
	f := fingerprint(binary.BigEndian.Uint64(raw))
	return f, f.String() == s
}
