package tail

import (
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// appendJoined appends a prediction's message with the member outcomes behind its last one: an
// object for each label, null where the prediction is decided and is no example. The objectives
// that are not decided yet are in the list open.
func (j *joiner) appendJoined(dst []byte, p *pending) []byte {
	message := strings.TrimRight(string(p.record.Value), " \n\r\t")
	if !strings.HasSuffix(message, "}") {
		return append(dst, message...) // no object: it stays as it is
	}
	dst = append(dst, message[:len(message)-1]...)
	if len(message) > 2 {
		dst = append(dst, ',')
	}
	outcomes := strictjson.NewObject(append(dst, `"outcomes":`...))
	var open []string
	for i := range j.Objectives {
		name := j.Objectives[i].Name
		switch l := p.labels[i]; {
		case l != nil:
			outcomes.EscapedKey(name)
			one := strictjson.NewObject(outcomes.Buf)
			one.Number("y", l.y)
			one.Key("time")
			one.Buf = event.TimeOf(l.written).AppendJSON(one.Buf)
			if l.revision {
				one.Key("revised")
				one.Buf = append(one.Buf, "true"...)
			}
			outcomes.Buf = one.End()
		case p.decided[i]:
			outcomes.EscapedKey(name)
			outcomes.Buf = append(outcomes.Buf, "null"...)
		default:
			open = append(open, name)
		}
	}
	dst = outcomes.End()
	for i, name := range open {
		dst = append(dst, [...]string{`,"open":[`, ","}[min(i, 1)]...)
		dst = strictjson.AppendString(dst, name)
	}
	if len(open) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// exampleHead is what a join needs of an example.
type exampleHead struct {
	prediction string
	y          float64
	revision   bool
	partition  int
	offset     int64
}

// readExample reads an example's label, and passes over its features.
func readExample(message []byte) (x exampleHead, ok bool) {
	var r event.Reader
	r.Reset(string(message), messageLimits)
	if r.Kind() != strictjson.KindObject {
		return x, false
	}
	for r.Object(); r.Key(); {
		switch r.Name() {
		case "prediction":
			x.prediction = r.Text()
		case "y":
			x.y = r.Number()
		case "revision":
			x.revision = r.Bool()
		case "source":
			for r.Object(); r.Key(); {
				switch r.Name() {
				case "partition":
					x.partition = int(r.Integer())
				case "offset":
					x.offset = r.Integer()
				default:
					r.Skip()
				}
			}
		default:
			r.Skip()
		}
	}
	return x, r.End() == nil
}
