package event

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/clickloop/clickloop/internal/strictjson"
)

// random makes messages that use every form a field can have.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 1))} }

func (r random) text() string {
	letters := []rune("abcXYZ019 _-.*\"\\/\n\t\x00\x7f<>&äß€\u2028😀\ufffd")
	s := make([]rune, r.IntN(9))
	for i := range s {
		s[i] = letters[r.IntN(len(letters))]
	}
	return string(s)
}

func (r random) number() float64 {
	switch r.IntN(6) {
	case 0:
		return 0
	case 1:
		return float64(r.IntN(2000) - 1000)
	case 2:
		return float64(r.Int64())
	case 3:
		return float64(r.IntN(1e6)) / 1e4
	}
	for {
		if f := math.Float64frombits(r.Uint64()); strictjson.Finite(f) {
			return f
		}
	}
}

func (r random) time() Time { return Time(r.Int64N(int64(maxTime))) }

func (r random) value() Value {
	switch r.IntN(5) {
	case 0:
		return Value{}
	case 1, 2:
		return Value{Kind: String, Str: r.text()}
	case 3:
		return Value{Kind: Number, Num: r.number()}
	}
	v := Value{Kind: List}
	for range r.IntN(4) {
		v.List = append(v.List, WeightedToken{r.text(), [...]float64{1, r.number()}[r.IntN(2)]})
	}
	return v
}

func (r random) fields() Fields {
	var f Fields
	for i := range r.IntN(6) {
		f = append(f, Field{r.text() + strconv.Itoa(i), r.value()})
	}
	return f
}

func (r random) event() Event {
	return Event{r.text(), r.text(), r.time(), r.time(), r.text(), r.time(), r.text(), r.text(), r.text(), r.text(), r.text(), r.text(), r.text(), r.number(), r.text(),
		r.fields(), r.fields(), r.text(), r.text(), r.IntN(2) == 0}
}

func (r random) prediction() Prediction {
	p := Prediction{"p" + r.text(), r.text(), r.Int64(), 1 + r.time(), r.text(), r.text(), r.text(), r.text(), nil, "v" + r.text(), r.number(), nil, nil, r.number(),
		r.text(), r.Float64(), r.text(), r.Int64(), nil, nil, r.Int64(), r.text(), r.fields(), nil, r.text()}
	if w := r.Float64() * MaxWeight; r.IntN(2) == 0 {
		p.W = &w
	}
	for i := range r.IntN(3) {
		p.P = append(p.P, ObjectiveP{r.text() + strconv.Itoa(i), r.Float64()})
		p.Model = append(p.Model, ObjectiveVersion{r.text() + strconv.Itoa(i), r.text()})
		p.Others = append(p.Others, Other{r.text(), r.text(), slices.Clone(p.P), r.Int64(), r.number(), r.Float64()})
		p.Caps = append(p.Caps, Cap{r.text(), r.Int64()})
		p.AgeMs = append(p.AgeMs, Age{r.text() + strconv.Itoa(i), r.Int64() - r.Int64()})
	}
	return p
}

func (r random) example() Example {
	return Example{"o" + r.text(), "p" + r.text(), r.Int64(), 1 + r.time(), r.number(), r.text(), r.number(), r.number(), r.text(), r.number(), r.text(), r.Int64(), r.fields(), r.fields(),
		r.IntN(2) == 0, Source{r.text(), r.Int32(), r.Int64()}}
}

func (r random) evaluation() Evaluation {
	metric := func() *float64 {
		if r.IntN(2) == 0 {
			return nil
		}
		f := r.number()
		return &f
	}
	interval := func() *Interval {
		if r.IntN(2) == 0 {
			return nil
		}
		return &Interval{r.number(), r.number()}
	}
	e := Evaluation{Objective: "o" + r.text(), Window: "w" + r.text(), Start: r.time(), End: r.time(), Examples: r.Int64(), Positives: r.Int64(), Users: r.Int64(), SegmentsLeftOut: r.Int64(),
		Segment: r.fields(), Model: r.text(), Alarm: r.text(), Network: r.text(), Versus: r.text(), Better: r.text()}
	for _, m := range e.metrics() {
		*m.value = metric()
	}
	for _, m := range e.intervals() {
		*m.value = interval()
	}
	for range r.IntN(3) {
		e.Calibration = append(e.Calibration, CalibrationBin{r.number(), r.number(), r.number()})
		e.Scores = append(e.Scores, r.Int64())
		e.Offsets = &[2]int64{r.Int64(), r.Int64()}
	}
	return e
}

func (r random) deadLetter() DeadLetter {
	d := DeadLetter{"s" + r.text(), "r" + r.text(), r.text(), r.Int32(), r.Int64(), r.time(), []byte(r.text())}
	if r.IntN(2) == 0 {
		d.Payload = append(d.Payload, 0xff, byte(r.IntN(256)))
	}
	return d
}

func (r random) bidStep() BidStep {
	return BidStep{"s" + r.text(), r.text(), r.text(), r.text(), 1 + r.time(), 1 + r.Int64N(1<<53), r.Int64(), r.Int64() - r.Int64(), r.Int64() - r.Int64(), r.text(), r.text(), r.text(), r.text(), r.text(),
		r.text(), r.text(), r.Int64(), r.Int64(), r.Int64(), r.Float64(), r.IntN(2) == 0, r.time(), r.fields(), r.Int64(), r.Int64(), r.Int64(), r.Int64(), r.IntN(2) == 0, r.Int64(), r.IntN(2) == 0,
		r.Int64(), r.Int64(), r.Int64(), r.Int64(), r.fields()}
}
