package event

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/clickloop/clickloop/internal/strictjson"
)

// FuzzParsers feeds any bytes to every parser: what is accepted must be JSON to the standard
// library, and must read back to the same line.
func FuzzParsers(f *testing.F) {
	for seed := range uint64(20) {
		r := newRandom(seed)
		e, p, x, v, d, b := r.event(), r.prediction(), r.example(), r.evaluation(), r.deadLetter(), r.bidStep()
		for _, line := range [][]byte{e.AppendJSON(nil), p.AppendJSON(nil), x.AppendJSON(nil), v.AppendJSON(nil), d.AppendJSON(nil), b.AppendJSON(nil)} {
			f.Add(line)
		}
	}
	f.Add([]byte(`{"id":"a17","campaign":"c9","value":2.5,"fields":{"category":"shoes","tags":["a",["b",2]]},"time":"2026-11-25T09:00:00.123Z"}`))
	f.Add([]byte(`{"context":{"a":[["b",1e3],{"c":[[]]}]},"x":"\ud83d\ude00"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		check[Event](t, b)
		check[Prediction](t, b)
		check[Example](t, b)
		check[Evaluation](t, b)
		check[DeadLetter](t, b)
		check[Item](t, b)
		check[BidStep](t, b)
		_, _ = strictjson.SplitArray(b, 100)
	})
}

func check[T any, M message[T]](t *testing.T, b []byte) {
	var first, second T
	if M(&first).UnmarshalJSON(b) != nil {
		return
	}
	if !json.Valid(b) {
		t.Fatalf("%q is taken for JSON", b)
	}
	line := M(&first).AppendJSON(nil)
	if err := M(&second).UnmarshalJSON(line); err != nil {
		t.Fatalf("cannot read %q back: %v", line, err)
	}
	if again := M(&second).AppendJSON(nil); !bytes.Equal(again, line) {
		t.Fatalf("%q reads back as %q", line, again)
	}
}
