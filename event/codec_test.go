package event

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/clickloop/clickloop/internal/strictjson"
)

// message is what the types have in common.
type message[T any] interface {
	*T
	AppendJSON([]byte) []byte
	UnmarshalJSON([]byte) error
}

// roundTrip checks that in reads back equal, into a new struct and into one that has been used.
func roundTrip[T any, M message[T]](t *testing.T, in T, reused M) {
	t.Helper()
	line := M(&in).AppendJSON(nil)
	if !json.Valid(line) || !utf8.Valid(line) || bytes.ContainsAny(line, "\n\r") {
		t.Fatalf("no line of valid JSON: %q", line)
	}
	var out T
	if err := M(&out).UnmarshalJSON(line); err != nil {
		t.Fatalf("cannot parse %s: %v", line, err)
	}
	if !reflect.DeepEqual(normal(in), normal(out)) {
		t.Fatalf("read\n%+v, wrote\n%+v, as %s", out, in, line)
	}
	if err := reused.UnmarshalJSON(line); err != nil {
		t.Fatal(err)
	}
	if again := reused.AppendJSON(nil); !bytes.Equal(again, line) {
		t.Fatalf("a used struct reads\n%s as\n%s", line, again)
	}
}

// normal replaces empty slices by nil ones, in any message.
func normal[T any](m T) T {
	v := reflect.ValueOf(&m).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Len() == 0 {
			f.SetZero()
		} else if fields, ok := f.Interface().(Fields); ok {
			for j := range fields {
				if len(fields[j].Value.List) == 0 {
					fields[j].Value.List = nil
				}
			}
		}
	}
	return m
}

func TestEveryMessageReadsBackAsItWasWritten(t *testing.T) {
	var (
		event      Event
		prediction Prediction
		example    Example
		evaluation Evaluation
		deadLetter DeadLetter
		bidStep    BidStep
	)
	for seed := range uint64(2000) {
		r := newRandom(seed)
		roundTrip(t, r.event(), &event)
		roundTrip(t, r.prediction(), &prediction)
		roundTrip(t, r.example(), &example)
		roundTrip(t, r.evaluation(), &evaluation)
		roundTrip(t, r.deadLetter(), &deadLetter)
		roundTrip(t, r.bidStep(), &bidStep)
	}
}

func TestEncodingJSONAgreesAboutStringsAndNumbers(t *testing.T) {
	for seed := range uint64(2000) {
		r := newRandom(seed)
		s, f := r.text(), r.number()
		var gotText string
		if err := json.Unmarshal(strictjson.AppendString(nil, s), &gotText); err != nil || gotText != s {
			t.Fatalf("%q reads as %q, %v", s, gotText, err)
		}
		var gotNumber float64
		if err := json.Unmarshal(strictjson.AppendNumber(nil, f), &gotNumber); err != nil || math.Float64bits(gotNumber) != math.Float64bits(f) {
			t.Fatalf("%v reads as %v, %v", f, gotNumber, err)
		}
	}
}

func TestNoNaNIsWritten(t *testing.T) {
	nan := math.NaN()
	p := Prediction{ID: "p", Time: 1, P: []ObjectiveP{{"a", nan}, {"b", 0.5}}, Propensity: nan, Features: Fields{{"x", Value{Kind: Number, Num: nan}}}}
	if got, want := string(p.AppendJSON(nil)), `{"id":"p","time":"1970-01-01T00:00:00.001Z","p":{"b":0.5},"features":{"x":null}}`; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	e := Evaluation{Objective: "o", Window: "1m", AUC: &nan}
	if got, want := string(e.AppendJSON(nil)), `{"objective":"o","window":"1m","examples":0,"positives":0}`; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

func TestParsersAllocateLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget")
	}
	p := benchPrediction()
	line := p.AppendJSON(nil)
	var into Prediction
	allocs := testing.AllocsPerRun(100, func() {
		if err := into.UnmarshalJSON(line); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 1 { // the copy of the text that all strings share
		t.Fatalf("%v allocations", allocs)
	}
	if allocs := testing.AllocsPerRun(100, func() { line = p.AppendJSON(line[:0]) }); allocs > 0 {
		t.Fatalf("%v allocations to write", allocs)
	}
}
