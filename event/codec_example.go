package event

import (
	"math"
	"strconv"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// AppendJSON appends e as one line of JSON, without a newline.
func (e *Example) AppendJSON(dst []byte) []byte {
	l := newLine(dst)
	l.Text("objective", e.Objective)
	l.Text("prediction", e.Prediction)
	l.OptionalInteger("row", e.Row)
	l.time("time", e.Time)
	l.Number("y", e.Y)
	l.OptionalText("class", e.Class)
	l.Number("w", e.W)
	l.Number("p", e.P)
	l.OptionalText("model", e.Model)
	l.OptionalNumber("propensity", e.Propensity)
	l.OptionalText("policy", e.Policy)
	l.OptionalInteger("user_hash", e.UserHash)
	l.facts("features", e.Features)
	l.optionalFacts("segment", e.Segment)
	l.Flag("revision", e.Revision)
	l.Key("source")
	l.Buf = e.Source.appendJSON(l.Buf)
	return l.End()
}

func (s Source) appendJSON(dst []byte) []byte {
	l := newLine(dst)
	l.OptionalText("topic", s.Topic)
	l.Integer("partition", int64(s.Partition))
	l.Integer("offset", s.Offset)
	return l.End()
}

// MarshalJSON is AppendJSON, for encoding/json.
func (e *Example) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// ParseExample reads what AppendJSON writes. An example must have an objective, a prediction, a
// time, y and w; without a p it reads as p = 0.
func ParseExample(b []byte) (Example, error) {
	var e Example
	err := e.UnmarshalJSON(b)
	return e, err
}

// Validate checks the label and the weight of an example from another process. The error is an
// *Error with the field and the reason.
func (e *Example) Validate() error {
	switch {
	case e.Y != 0 && e.Y != 1:
		return field.Wrong("y", "is %s, expected 0 or 1: numbers as targets, and labels between 0 and 1, are not supported", strconv.FormatFloat(e.Y, 'g', -1, 64))
	case !(math.Abs(e.W) <= MaxWeight):
		return field.Wrong("w", "is %s, expected a weight of at most 1e6", strconv.FormatFloat(e.W, 'g', -1, 64))
	}
	return nil
}

// UnmarshalJSON is ParseExample into e. The slices of e are used again, so nothing that e held
// before may still be in use.
func (e *Example) UnmarshalJSON(b []byte) error {
	r := acquire(b, DefaultLimits)
	defer r.release()
	*e = Example{Features: e.Features[:0], Segment: e.Segment[:0]}
	hasY, hasW := e.read(r)
	r.need("objective", e.Objective != "")
	r.need("prediction", e.Prediction != "")
	r.need("time", e.Time != 0)
	r.need("y", hasY)
	r.need("w", hasW)
	return r.End()
}

func (e *Example) read(r *Reader) (hasY, hasW bool) {
	for r.message(); r.Key(); {
		switch r.Name() {
		case "objective":
			e.Objective = r.Text()
		case "prediction":
			e.Prediction = r.Text()
		case "row":
			e.Row = r.Integer()
		case "time":
			e.Time = r.Time()
		case "y":
			hasY = r.Kind() == strictjson.KindNumber
			e.Y = r.Number()
		case "class":
			e.Class = r.Text()
		case "w":
			hasW = r.Kind() == strictjson.KindNumber
			e.W = r.Number()
		case "p":
			e.P = r.Number()
		case "model":
			e.Model = r.Text()
		case "propensity":
			e.Propensity = r.Number()
		case "policy":
			e.Policy = r.Text()
		case "user_hash":
			e.UserHash = r.Integer()
		case "features":
			e.Features = r.Fields(e.Features)
		case "segment":
			e.Segment = r.Fields(e.Segment)
		case "revision":
			e.Revision = r.Bool()
		case "source":
			e.Source.read(r)
		default:
			r.Skip()
		}
	}
	return hasY, hasW
}

func (s *Source) read(r *Reader) {
	for r.Object(); r.Key(); {
		switch r.Name() {
		case "topic":
			s.Topic = r.Text()
		case "partition":
			s.Partition = r.partition()
		case "offset":
			s.Offset = r.Integer()
		default:
			r.Skip()
		}
	}
}
