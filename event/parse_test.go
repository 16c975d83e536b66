package event

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestWrongEventsAreRefusedWithFieldAndReason(t *testing.T) {
	f := func(text, field, reason string) {
		t.Helper()
		_, err := ParseEvent([]byte(text))
		e, ok := err.(*Error)
		if !ok || e.Field != field || !strings.Contains(e.Reason, reason) {
			t.Fatalf("%.80s: got %#v, want %q about field %q", text, err, reason, field)
		}
	}
	f(``, "", "is not JSON")
	f(`{`, "", "is not JSON")
	f(`[`, "", "is an array, expected an object")
	f(`null`, "", "is null, expected an object")
	f(`7`, "", "is a number, expected an object")
	f(`{} {}`, "", "expected the end")
	f(`{"type":"click",}`, "", "after ','")
	f(`{"type" "click"}`, "", "expected ':'")
	f(`{"type":click}`, "", "expected a value")
	f(`{"type":"click" "id":"1"}`, "", "expected ',' or '}'")
	f(`{"type":"a`+"\n"+`b"}`, "", "control character")
	f(`{"type":"\x"}`, "", "escape")
	f(`{"type":"\u12g4"}`, "", "hexadecimal")
	f("{\"type\":\"a\xff\"}", "type", "UTF-8")
	f("{\"type\":\"\\n\xff\"}", "type", "UTF-8")
	f("{\"unknown\":\"\xff\"}", "unknown", "UTF-8")
	f("\xff\xfe{}", "", "is not JSON")
	f(`{"type":7}`, "type", "is a number, expected a string")
	f(`{"type":["click"]}`, "type", "is an array, expected a string")
	f(`{"type":{}}`, "type", "is an object, expected a string")
	f(`{"type":true}`, "type", "is a boolean, expected a string")
	f(`{"type":"click","type":"click"}`, "type", "is given twice")
	f(`{"value":"7"}`, "value", "is a string, expected a number")
	f(`{"value":NaN}`, "", `is not JSON: byte 10: expected a value, found "NaN"`)
	f(`{"value":-Infinity,"a":1}`, "", `found "-Infinity"`)
	f(`{"x":undefined}`, "", `byte 6: expected a value, found "undefined"`)
	f(`{"value":}`, "", "expected a value")
	f(`{"value":-}`, "", "no number")
	f(`{"value":01}`, "", "expected ','")
	f(`{"value":1.}`, "", "no number")
	f(`{"value":.5}`, "", "expected a value")
	f(`{"value":1e}`, "", "no number")
	f(`{"value":1e400}`, "value", "too large")
	f(`{"value":1`+strings.Repeat("0", 400)+`}`, "value", "too large")
	f(`{"context":{"a":{"b":1e999}}}`, "context.a.b", "too large")
	f(`{"context":{"a":1,"a":2}}`, "context.a", "given twice")
	f(`{"context":{"a":{"b":1},"a.b":2}}`, "a.b", "given twice")
	f(`{"context":7}`, "context", "is a number, expected an object")
	f(`{"context":[]}`, "context", "is an array, expected an object")
	f(`{"time":1795600800}`, "time", "is a number, expected a string")
	f(`{"time":"yesterday"}`, "time", "not RFC 3339")
	f(`{"time":""}`, "time", "not RFC 3339")
	f(`{"time":"2026-13-45T99:99:99Z"}`, "time", "not RFC 3339")
	f(strings.Repeat("[", 100000), "", "too large")
	f(strings.Repeat("[", 1000), "", "is an array")
	f(`{"x":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)+`}`, "x", "nested too deep")
	f(`{"context":`+strings.Repeat(`{"a":`, 1000), "context"+strings.Repeat(".a", 15), "nested too deep")
	f(`{"context":{"a":[`+strings.Repeat("1,", 1000)+`1]}}`, "context.a[1000]", "one too many")
	f(`{"type":"`+strings.Repeat("x", 40000)+`"}`, "", "too large")
}

// A weight that no network takes is refused where the prediction is read, not when it has become an
// example.
func TestWeightsOfPredictionsAreBounded(t *testing.T) {
	f := func(w, want string) {
		t.Helper()
		p, err := ParsePrediction([]byte(`{"id":"p","time":"2026-11-25T09:00:00.000Z","p":{},"w":` + w + `}`))
		got := fmt.Sprint(p.Weight())
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("w %s: %s, want %s", w, got, want)
		}
	}
	f("0", "0")
	f("1e6", "1e+06")
	f("-1", "w is -1, expected a weight of 0 to 1e6")
	f("1000001", "w is 1.000001e+06, expected a weight")
	f(`"2"`, "w is a string")
}

func TestRepeatedNamesAreFoundAmongMany(t *testing.T) {
	f := func(n int, repeated int) error {
		var b strings.Builder
		b.WriteString(`{"nested":{`)
		for i := range n {
			fmt.Fprintf(&b, `"x%d":%d,`, i, i)
		}
		fmt.Fprintf(&b, `"x%d":0},"x0":1}`, repeated)
		r := new(Reader)
		r.Reset(b.String(), Limits{Bytes: 1 << 30, Depth: 16, Fields: 1 << 30})
		r.Fields(nil)
		return r.End()
	}
	for _, n := range []int{1, 46, 47, 48, 49, 5000} {
		if err := f(n, n); err != nil {
			t.Fatalf("%d different names: %v", n+1, err)
		}
		for _, repeated := range []int{0, n / 2, n - 1} {
			if err := f(n, repeated); err == nil || err.Error() != fmt.Sprintf("nested.x%d is given twice", repeated) {
				t.Fatalf("%d names and %d again: %v", n, repeated, err)
			}
		}
	}
}

// BenchmarkManyMembers is what a hostile event costs: 32 KB of the shortest members.
func BenchmarkManyMembers(b *testing.B) {
	var text strings.Builder
	text.WriteByte('{')
	for i := 0; text.Len() < 32000; i++ {
		fmt.Fprintf(&text, `"%X":0,`, i)
	}
	text.WriteString(`"type":"click"}`)
	line := []byte(text.String())
	var e Event
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if err := e.UnmarshalJSON(line); err != nil {
			b.Fatal(err)
		}
	}
}

func TestUnknownFieldsAndNullsAreIgnored(t *testing.T) {
	f := func(text string) {
		t.Helper()
		got, err := ParseEvent([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if line := string(got.AppendJSON(nil)); line != `{"type":"click"}` {
			t.Fatalf("%s reads as %s", text, line)
		}
	}
	f(`{"type":"click"}`)
	f(" {\t\"type\" :\r\n\"click\" } \n")
	f(`{"typ\u0065":"cl\u0069ck"}`)
	f(`{"type":"click","user":null,"value":null,"time":null,"context":null,"properties":{}}`)
	f(`{"more":[1,{"a":[true,false,null,"x\"y"]},-1.5e-7],"type":"click","deep":{"a":{"b":{}}}}`)
	f(`{"type":"click","context":{"empty":{}}}`)
}

func TestFieldsAreFlattenedInOrder(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		var got Fields
		if err := got.UnmarshalJSON([]byte(text)); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		line := got.AppendJSON(nil)
		if string(line) != want {
			t.Fatalf("%s reads as %s, want %s", text, line, want)
		}
		if err := got.UnmarshalJSON(line); err != nil || string(got.AppendJSON(nil)) != want {
			t.Fatalf("%s reads as %s, %v", line, got.AppendJSON(nil), err)
		}
	}
	f(`{}`, `{}`)
	f(`{"z":1,"a":"x","m":null}`, `{"z":1,"a":"x","m":null}`)
	f(`{"t":true,"f":false}`, `{"t":"true","f":"false"}`)
	f(`{"n":"007"}`, `{"n":"007"}`)
	f(`{"geo":{"country":"DE","at":{"lat":1.5}},"b":2}`, `{"geo.country":"DE","geo.at.lat":1.5,"b":2}`)
	f(`{"":{"a":1},"a":{"":2}}`, `{".a":1,"a.":2}`)
	f(`{"l":["a",7,1.50,true,null,["b",2.5],["c",1]]}`, `{"l":["a","7","1.50","true",["b",2.5],"c"]}`)
	f(`{"l":[]}`, `{"l":[]}`)
	f(`{"l":[null]}`, `{"l":[]}`)
	f(`{"l":[["a","b"],[1,2],["a",1,2],[]]}`, `{"l.0":["a","b"],"l.1":["1","2"],"l.2":["a","1","2"],"l.3":[]}`)
	f(`{"products":[{"id":"p1","price":2},"tag",{"id":"p2"}]}`, `{"products.0.id":"p1","products.0.price":2,"products.2.id":"p2","products":["tag"]}`)
}

func TestRequiredFieldsAreRequired(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		if err == nil || err.Error() != want {
			t.Fatalf("got %v, want %s", err, want)
		}
	}
	parse := func(into json.Unmarshaler, text string) error { return into.UnmarshalJSON([]byte(text)) }
	const at = `"time":"2026-11-25T09:00:00Z"`
	f(parse(new(Prediction), `{}`), "id is missing")
	f(parse(new(Prediction), `{"id":"p1"}`), "time is missing")
	f(parse(new(Example), `{}`), "objective is missing")
	f(parse(new(Example), `{"objective":"click"}`), "prediction is missing")
	f(parse(new(Example), `{"objective":"click","prediction":"p1"}`), "time is missing")
	f(parse(new(Example), `{"objective":"click","prediction":"p1",`+at+`}`), "y is missing")
	f(parse(new(Example), `{"objective":"click","prediction":"p1",`+at+`,"y":null,"w":1}`), "y is missing")
	f(parse(new(Example), `{"objective":"click","prediction":"p1",`+at+`,"y":1}`), "w is missing")
	f(parse(new(Example), `{"source":{"partition":4294967296}}`), "source.partition is no partition: it has more than 32 bits")
	f(parse(new(Example), `{"row":1.5}`), "row is 1.5, expected a whole number of at most 64 bits")
	f(parse(new(Evaluation), `{}`), "objective is missing")
	f(parse(new(Evaluation), `{"objective":"click"}`), "window is missing")
	f(parse(new(DeadLetter), `{}`), "stage is missing")
	f(parse(new(DeadLetter), `{"stage":"ingest"}`), "reason is missing")
	f(parse(new(DeadLetter), `{"payload_base64":"?"}`), "payload_base64 is not base64")
}

// Each field below a long name repeats it: a megabyte would make gigabytes.
func TestNamesOfNestedFieldsAreBoundedTogether(t *testing.T) {
	limits := Limits{Bytes: 10_000, Depth: 16, Fields: 100_000}
	f := func(text, want string) {
		t.Helper()
		var r Reader
		r.Reset(text, limits)
		fields := r.Fields(nil)
		names := 0
		for _, f := range fields {
			names += len(f.Name)
		}
		if got := fmt.Sprint(r.Err()); !strings.Contains(got, want) || names > 5*limits.Bytes {
			t.Errorf("%.60s: %v with names of %d bytes, want %s", text, got, names, want)
		}
	}
	long := strings.Repeat("n", 400)
	wide := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%d":{}`, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	f(`{"`+long+`":`+wide(90)+`}`, "<nil>")
	f(`{"`+long+`":`+wide(110)+`}`, "names of nested fields may have 40000 bytes together")
	f(`{"`+long+`":[`+strings.TrimSuffix(strings.Repeat("{},", 110), ",")+`]}`, "may have 40000 bytes together")
	f(`{"`+long+`":{"`+long+`":{"`+long+`":`+wide(40)+`}}}`, "may have 40000 bytes together")
}
