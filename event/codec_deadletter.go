package event

import (
	"encoding/base64"
	"unicode/utf8"
)

// AppendJSON appends d as one line of JSON, without a newline: the payload as "payload" when it is
// UTF-8, otherwise as "payload_base64".
func (d *DeadLetter) AppendJSON(dst []byte) []byte {
	l := newLine(dst)
	l.Text("stage", d.Stage)
	l.Text("reason", d.Reason)
	l.OptionalText("topic", d.Topic)
	l.Integer("partition", int64(d.Partition))
	l.Integer("offset", d.Offset)
	l.time("time", d.Time)
	if utf8.Valid(d.Payload) {
		l.Text("payload", string(d.Payload))
	} else {
		l.Key("payload_base64")
		l.Buf = append(l.Buf, '"')
		l.Buf = base64.StdEncoding.AppendEncode(l.Buf, d.Payload)
		l.Buf = append(l.Buf, '"')
	}
	return l.End()
}

// MarshalJSON is AppendJSON, for encoding/json.
func (d *DeadLetter) MarshalJSON() ([]byte, error) { return d.AppendJSON(nil), nil }

// deadLetterLimits leave room for the payload of the largest record, even if each of its bytes is
// escaped.
var deadLetterLimits = Limits{Bytes: 8 << 20, Depth: 16, Fields: 1}

// ParseDeadLetter reads what AppendJSON writes. A dead letter must have a stage and a reason.
func ParseDeadLetter(b []byte) (DeadLetter, error) {
	var d DeadLetter
	err := d.UnmarshalJSON(b)
	return d, err
}

// UnmarshalJSON is ParseDeadLetter into d.
func (d *DeadLetter) UnmarshalJSON(b []byte) error {
	r := acquire(b, deadLetterLimits)
	defer r.release()
	*d = DeadLetter{}
	d.read(r)
	r.need("stage", d.Stage != "")
	r.need("reason", d.Reason != "")
	return r.End()
}

func (d *DeadLetter) read(r *Reader) {
	for r.message(); r.Key(); {
		switch r.Name() {
		case "stage":
			d.Stage = r.Text()
		case "reason":
			d.Reason = r.Text()
		case "topic":
			d.Topic = r.Text()
		case "partition":
			d.Partition = r.partition()
		case "offset":
			d.Offset = r.Integer()
		case "time":
			d.Time = r.Time()
		case "payload":
			d.Payload = []byte(r.Text())
		case "payload_base64":
			payload, err := base64.StdEncoding.DecodeString(r.Text())
			if err != nil {
				r.Fail("is not base64")
			}
			d.Payload = payload
		default:
			r.Skip()
		}
	}
}
