package scorer

import (
	"encoding/binary"
	"math"

	"github.com/clickloop/clickloop/event"
)

// append appends a as the memory keeps it: without pointers, so that the garbage collector need not
// look at a memory full of answers.
func (a *Answer) append(b []byte) []byte {
	objectives := 0
	if len(a.Ranked) > 0 {
		objectives = len(a.Ranked[0].P)
	}
	b = appendText(appendNumber(b, a.flags()), a.Policy)
	b = appendNumber(b, len(a.Missing))
	for _, name := range a.Missing {
		b = appendText(b, name)
	}
	b = binary.AppendVarint(b, int64(a.Time))
	b = appendNumber(appendNumber(b, a.Chosen), a.Excluded)
	if a.subset {
		b = appendNumber(b, len(a.Objectives))
		for _, name := range a.Objectives {
			b = appendText(b, name)
		}
	}
	b = appendNumber(b, len(a.Models))
	for _, v := range a.Models {
		b = appendText(appendText(b, v.Objective), v.Version)
	}
	b = appendNumber(b, len(a.Ages))
	for _, age := range a.Ages {
		b = appendNumber(appendText(b, age.Name), int(age.Ms))
	}
	b = appendNumber(appendNumber(b, len(a.Ranked)), objectives)
	for i := range a.Ranked {
		s := &a.Ranked[i]
		b = appendFloat(appendFloat(appendNumber(b, s.Index), s.Score), s.Propensity)
		for _, p := range s.P {
			b = appendFloat(b, p)
		}
		for _, raw := range s.Raw {
			b = appendFloat(b, raw)
		}
		b = appendKept(b, s.Why)
	}
	b = appendNumber(b, len(a.named))
	for _, n := range a.named {
		b = appendText(appendText(b, n.ad), n.campaign)
	}
	return appendNumber(appendNumber(b, a.Retrieved.Passed), a.Retrieved.Scored)
}

// Bits of an answer that is kept.
const (
	keptWithoutProfiles = 1 << iota
	keptWithoutModel
	keptValued
	keptSubset
	keptNoProfiles
)

func (a *Answer) flags() (flags int) {
	for bit, set := range []bool{a.WithoutProfiles, a.WithoutModel, a.Valued, a.subset, a.NoProfiles} {
		if set {
			flags |= 1 << bit
		}
	}
	return flags
}

// decode sets a to what append made, in memory of c.
func (a *Answer) decode(k kept, c *Call) {
	flags := k.number()
	a.WithoutProfiles, a.WithoutModel, a.NoProfiles = flags&keptWithoutProfiles != 0, flags&keptWithoutModel != 0, flags&keptNoProfiles != 0
	a.Valued, a.subset = flags&keptValued != 0, flags&keptSubset != 0
	a.Policy, a.Missing = k.text(), nil
	for range k.number() {
		a.Missing = append(a.Missing, k.text())
	}
	a.Time = k.time()
	a.Chosen, a.Excluded, a.Objectives = k.number(), k.number(), c.names
	if a.subset {
		a.Objectives = make([]string, k.number())
		for i := range a.Objectives {
			a.Objectives[i] = k.text()
		}
	}
	a.Models = make([]event.ObjectiveVersion, k.number())
	for i := range a.Models {
		a.Models[i] = event.ObjectiveVersion{Objective: k.text(), Version: k.text()}
	}
	a.Ages = make([]event.Age, k.number())
	for i := range a.Ages {
		a.Ages[i] = event.Age{Name: k.text(), Ms: int64(k.number())}
	}
	a.Ranked = c.newRanked(k.number())
	objectives := k.number()
	for i := range a.Ranked {
		s := &a.Ranked[i]
		s.Index, s.Score, s.Propensity, s.P, s.Raw = k.number(), k.float(), k.float(), s.P[:0], s.Raw[:0]
		for range objectives {
			s.P = append(s.P, k.float())
		}
		for range objectives {
			s.Raw = append(s.Raw, k.float())
		}
		s.Why = k.explained()
	}
	a.named = make([]named, k.number())
	for i := range a.named {
		a.named[i] = named{k.text(), k.text()}
	}
	a.Retrieved.Passed, a.Retrieved.Scored = k.number(), k.number()
}

// kept is what is left to decode.
type kept []byte

func (k *kept) number() int {
	n, size := binary.Uvarint(*k)
	*k = (*k)[size:]
	return int(n)
}

func (k *kept) time() event.Time {
	t, size := binary.Varint(*k)
	*k = (*k)[size:]
	return event.Time(t)
}

func (k *kept) float() float64 {
	f := math.Float64frombits(binary.LittleEndian.Uint64(*k))
	*k = (*k)[8:]
	return f
}

func (k *kept) text() string {
	n := k.number()
	s := string((*k)[:n])
	*k = (*k)[n:]
	return s
}

func appendNumber(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)) }

func appendFloat(b []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
}

func appendText(b []byte, s string) []byte { return append(appendNumber(b, len(s)), s...) }
