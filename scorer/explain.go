package scorer

import (
	"fmt"
	"math"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/model"
)

// Bounds of explanations, each of which costs as much as a hundred candidates.
const (
	maxExplained = 20  // predictions of a request: the first ones of its ranking
	maxExplain   = 32  // fields of an explanation
	maxFieldName = 256 // bytes of a field's name; longer ones are in the rest
)

// Explained says how a candidate's probability comes about. Base, Shifts and Rest sum up to Logit,
// the network's own.
type Explained struct {
	Objective string
	Logit     float64
	Base      float64 // the logit without any feature
	Shifts    []Shift // the largest first, at most as many as the request asked for
	Rest      float64 // of all other fields
	// Calibration is what was added to Logit afterwards: the logit of the probability that is
	// served is Logit + Calibration.
	Calibration float64
}

// Shift is how far one field has moved a logit.
type Shift struct {
	Field string
	By    float64
}

// checkExplain returns why a request cannot be explained with so many fields.
func checkExplain(n int) error {
	if n < 0 || n > maxExplain {
		return &event.Error{Field: "explain", Reason: fmt.Sprintf("is %d, want the number of fields that are named, 0 to %d", n, maxExplain)}
	}
	return nil
}

// explain explains the chosen candidates, or the first when none is chosen.
func (e *Engine) explain(c *Call, q *Request) {
	if q.Explain <= 0 {
		return
	}
	ranked := q.Answer.Ranked
	for i := range ranked[:min(max(q.Answer.Chosen, 1), len(ranked), maxExplained)] {
		s := &ranked[i]
		facts := e.facts(c, q, s.Index)
		c.encoded = features.Encode(c.encoded[:0], facts)
		for at, j := range q.picked {
			if h := &c.held[j]; h.replica != nil {
				h.replica.weights.Explain(&c.explanation, c.encoded, h.scratch)
				if why := newExplained(&c.explanation, facts, q.Explain, s.P[at]); why.finite() {
					why.Objective = e.followers[j].objective
					s.Why = append(s.Why, why)
				}
			}
		}
	}
}

// newExplained names the fields of an explanation; p is the probability that is served.
func newExplained(x *model.Explanation, facts event.Fields, named int, p float64) Explained {
	why := Explained{Logit: x.Logit, Base: x.Base, Rest: x.Rest}
	for i := range x.Contributions {
		shift := x.Contributions[i].Shift
		name := ""
		if len(why.Shifts) < named && shift != 0 {
			name = nameOf(x.Contributions[i].Field, facts)
		}
		if name == "" {
			why.Rest += shift
			continue
		}
		why.Shifts = append(why.Shifts, Shift{name, shift})
	}
	if z := math.Log(p / (1 - p)); math.Abs(z-x.Logit) > 1e-9 && p > 1e-12 && p < 1-1e-12 {
		why.Calibration = z - x.Logit
	}
	return why
}

// nameOf is the name of a field, empty if it is too long to be told.
func nameOf(hash uint64, facts event.Fields) string {
	for i := range facts {
		if model.FieldHash(facts[i].Name) == hash && len(facts[i].Name) <= maxFieldName {
			return facts[i].Name
		}
	}
	return ""
}

func (w *Explained) finite() bool {
	sum := w.Logit + w.Base + w.Rest
	for i := range w.Shifts {
		sum += w.Shifts[i].By
	}
	return !math.IsNaN(sum) && !math.IsInf(sum, 0)
}

// appendJSON appends w as answers have it.
func (w *Explained) appendJSON(b []byte) []byte {
	o := strictjson.NewObject(b)
	o.Number("logit", w.Logit)
	o.Number("base", w.Base)
	o.Key("fields")
	o.Buf = append(o.Buf, '[')
	for i := range w.Shifts {
		if i > 0 {
			o.Buf = append(o.Buf, ',')
		}
		f := strictjson.NewObject(o.Buf)
		f.Text("field", w.Shifts[i].Field)
		f.Number("shift", w.Shifts[i].By)
		o.Buf = f.End()
	}
	o.Buf = append(o.Buf, ']')
	o.Number("rest", w.Rest)
	if w.Calibration != 0 {
		o.Number("calibration", w.Calibration)
	}
	return o.End()
}

// appendWhy appends the explanations of a candidate, by objective.
func appendWhy(o *strictjson.Object, why []Explained) {
	if len(why) == 0 {
		return
	}
	o.Key("explain")
	all := strictjson.NewObject(o.Buf)
	for i := range why {
		all.EscapedKey(why[i].Objective)
		all.Buf = why[i].appendJSON(all.Buf)
	}
	o.Buf = all.End()
}

// appendKept appends explanations as the memory keeps them.
func appendKept(b []byte, why []Explained) []byte {
	b = appendNumber(b, len(why))
	for i := range why {
		w := &why[i]
		b = appendText(b, w.Objective)
		for _, f := range [...]float64{w.Logit, w.Base, w.Rest, w.Calibration} {
			b = appendFloat(b, f)
		}
		b = appendNumber(b, len(w.Shifts))
		for _, s := range w.Shifts {
			b = appendFloat(appendText(b, s.Field), s.By)
		}
	}
	return b
}

// explained decodes what appendKept made.
func (k *kept) explained() (why []Explained) {
	for range k.number() {
		w := Explained{Objective: k.text(), Logit: k.float(), Base: k.float(), Rest: k.float(), Calibration: k.float()}
		for range k.number() {
			w.Shifts = append(w.Shifts, Shift{k.text(), k.float()})
		}
		why = append(why, w)
	}
	return why
}
