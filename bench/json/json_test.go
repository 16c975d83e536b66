// Package jsonbench measures how long the messages of the topics take to read and to write: by
// package event, and by libraries into structs of the same members. It is a module of its own, so
// that the libraries are no dependencies of clickloop.
package jsonbench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/bytedance/sonic"
	"github.com/bytedance/sonic/ast"
	"github.com/clickloop/clickloop/event"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	goccy "github.com/goccy/go-json"
	segmentio "github.com/segmentio/encoding/json"
)

// library reads and writes with a library, as its documentation proposes. ordered reads an object
// in its order, by the library's own tokens: no library keeps the order of a map.
type library struct {
	name      string
	unmarshal func([]byte, any) error
	marshal   func(any) ([]byte, error)
	ordered   func([]byte, *ordered) error
}

var libraries = []library{
	{"encoding/json", json.Unmarshal, json.Marshal, func(b []byte, o *ordered) error { return byTokens(json.NewDecoder(bytes.NewReader(b)), o) }},
	{"json/v2", func(b []byte, v any) error { return jsonv2.Unmarshal(b, v) }, func(v any) ([]byte, error) { return jsonv2.Marshal(v) }, nil},
	{"sonic", sonic.Unmarshal, sonic.Marshal, func(b []byte, o *ordered) error { return ast.Preorder(string(b), &visitor{o: o}, nil) }},
	{"goccy", goccy.Unmarshal, goccy.Marshal, func(b []byte, o *ordered) error { return byGoccy(goccy.NewDecoder(bytes.NewReader(b)), o) }},
	{"segmentio", segmentio.Unmarshal, segmentio.Marshal, bySegmentio},
}

// current is the library that ordered values are read by.
var current *library

// ordered is an object of strings and numbers in its order.
type ordered []event.Field

func (o *ordered) UnmarshalJSON(b []byte) error {
	*o = (*o)[:0]
	return current.ordered(b, o)
}

func (o ordered) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b, _ = jsontext.AppendQuote(b, o[i].Name)
		b = append(b, ':')
		if v := &o[i].Value; v.Kind == event.String {
			b, _ = jsontext.AppendQuote(b, v.Str)
		} else {
			b = strconv.AppendFloat(b, v.Num, 'g', -1, 64)
		}
	}
	return append(b, '}'), nil
}

func (o *ordered) add(name, text string, number float64, isText bool) {
	v := event.Value{Kind: event.Number, Num: number}
	if isText {
		v = event.Value{Kind: event.String, Str: text}
	}
	*o = append(*o, event.Field{Name: name, Value: v})
}

func byTokens(d *json.Decoder, o *ordered) error {
	_, err := d.Token()
	for err == nil && d.More() {
		name, _ := d.Token()
		var value json.Token
		value, err = d.Token()
		text, isText := value.(string)
		number, _ := value.(float64)
		o.add(name.(string), text, number, isText)
	}
	return err
}

func byGoccy(d *goccy.Decoder, o *ordered) error {
	_, err := d.Token()
	for err == nil && d.More() {
		name, _ := d.Token()
		var value goccy.Token
		value, err = d.Token()
		text, isText := value.(string)
		number, _ := value.(float64)
		o.add(name.(string), text, number, isText)
	}
	return err
}

func bySegmentio(b []byte, o *ordered) error {
	t := segmentio.NewTokenizer(b)
	name := ""
	for t.Next() {
		switch {
		case t.Delim != 0:
		case t.IsKey:
			name = string(t.String())
		case t.Value.String():
			o.add(name, string(t.String()), 0, true)
		default:
			o.add(name, "", t.Float(), false)
		}
	}
	return t.Err
}

// UnmarshalJSONFrom and MarshalJSONTo are what json/v2 uses.
func (o *ordered) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*o = (*o)[:0]
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		text := name.String()
		isText := d.PeekKind() == '"'
		value, err := d.ReadToken()
		if err != nil {
			return err
		}
		if isText {
			o.add(text, value.String(), 0, true)
		} else {
			number, err := value.Float()
			if err != nil {
				return err
			}
			o.add(text, "", number, false)
		}
	}
	_, err := d.ReadToken()
	return err
}

func (o ordered) MarshalJSONTo(e *jsontext.Encoder) error {
	err := e.WriteToken(jsontext.BeginObject)
	for i := range o {
		err = e.WriteToken(jsontext.String(o[i].Name))
		if v := &o[i].Value; v.Kind == event.String {
			err = e.WriteToken(jsontext.String(v.Str))
		} else {
			err = e.WriteToken(jsontext.Float(v.Num))
		}
	}
	if err == nil {
		err = e.WriteToken(jsontext.EndObject)
	}
	return err
}

// visitor is how sonic gives a text in its order.
type visitor struct {
	o    *ordered
	name string
}

func (v *visitor) OnNull() error           { return nil }
func (v *visitor) OnBool(bool) error       { return nil }
func (v *visitor) OnString(s string) error { v.o.add(v.name, s, 0, true); return nil }
func (v *visitor) OnInt64(i int64, _ json.Number) error {
	v.o.add(v.name, "", float64(i), false)
	return nil
}
func (v *visitor) OnFloat64(f float64, _ json.Number) error {
	v.o.add(v.name, "", f, false)
	return nil
}
func (v *visitor) OnObjectBegin(int) error       { return nil }
func (v *visitor) OnObjectKey(name string) error { v.name = name; return nil }
func (v *visitor) OnObjectEnd() error            { return nil }
func (v *visitor) OnArrayBegin(int) error        { return nil }
func (v *visitor) OnArrayEnd() error             { return nil }

// The messages as structs, with the members that the measured ones have.
type (
	eventForm struct {
		ID         string     `json:"id"`
		Type       string     `json:"type"`
		Time       event.Time `json:"time"`
		Received   event.Time `json:"received"`
		User       string     `json:"user"`
		Prediction string     `json:"prediction"`
		Ad         string     `json:"ad"`
		Value      float64    `json:"value"`
		Context    ordered    `json:"context"`
		Source     string     `json:"source"`
	}
	predictionForm struct {
		ID         string     `json:"id"`
		Request    string     `json:"request"`
		Row        int64      `json:"row"`
		Time       event.Time `json:"time"`
		User       string     `json:"user"`
		Ad         string     `json:"ad"`
		P          ordered    `json:"p"`
		Model      ordered    `json:"model"`
		Propensity float64    `json:"propensity"`
		Policy     string     `json:"policy"`
		Features   ordered    `json:"features"`
		AgeMs      ordered    `json:"age_ms"`
	}
	exampleForm struct {
		Objective  string     `json:"objective"`
		Prediction string     `json:"prediction"`
		Row        int64      `json:"row"`
		Time       event.Time `json:"time"`
		Y          float64    `json:"y"`
		W          float64    `json:"w"`
		P          float64    `json:"p"`
		Model      string     `json:"model"`
		Features   ordered    `json:"features"`
		Source     struct {
			Topic     string `json:"topic"`
			Partition int32  `json:"partition"`
			Offset    int64  `json:"offset"`
		} `json:"source"`
	}
	evaluationForm struct {
		Objective string     `json:"objective"`
		Window    string     `json:"window"`
		Start     event.Time `json:"start"`
		End       event.Time `json:"end"`
		Examples  int64      `json:"examples"`
		Positives int64      `json:"positives"`
		LogLoss   *float64   `json:"log_loss"`
		AUC       *float64   `json:"auc"`
		Model     string     `json:"model"`
	}
	letterForm struct {
		Stage     string     `json:"stage"`
		Reason    string     `json:"reason"`
		Topic     string     `json:"topic"`
		Partition int32      `json:"partition"`
		Offset    int64      `json:"offset"`
		Time      event.Time `json:"time"`
		Payload   string     `json:"payload"`
	}
)

type message interface {
	AppendJSON([]byte) []byte
	UnmarshalJSON([]byte) error
}

// messages are one of each topic: 20 features, as in examples/bank-marketing, or 6 facts of a
// context.
func messages() []struct {
	name string
	own  message
	form any
} {
	const at = 1795600800123
	loss, auc := 0.296691047267584, 0.7604261625241062
	e := &event.Event{ID: "0190f3a2-77d5-7b1e", Type: "click", Time: at, Received: at + 80, User: "user-829174", Prediction: "0190f3a2-77d5-7b1e.0", Ad: "ad-1754", Value: 12.54,
		Context: facts(3), Source: "shop"}
	return []struct {
		name string
		own  message
		form any
	}{
		{"event", e, &eventForm{}},
		{"prediction", &event.Prediction{ID: "0190f3a2-77d5-7b1e.0", Request: "0190f3a2-77d5-7b1e", Row: 4711, Time: at, User: "user-829174", Ad: "ad-1754",
			P: []event.ObjectiveP{{Objective: "click", P: 0.012345678901234}}, Model: []event.ObjectiveVersion{{Objective: "click", Version: "click@184203"}},
			Propensity: 0.95, Policy: "epsilon", Features: facts(10), AgeMs: []event.Age{{Name: "user", Ms: 340}}}, &predictionForm{}},
		{"example", &event.Example{Objective: "click", Prediction: "0190f3a2-77d5-7b1e.0", Row: 4711, Time: at, Y: 1, W: 1, P: 0.012345678901234, Model: "click@184203",
			Features: facts(10), Source: event.Source{Topic: "0a1b2c3d", Partition: 3, Offset: 184203}}, &exampleForm{}},
		{"evaluation", &event.Evaluation{Objective: "click", Window: "1h", Start: at, End: at + 3600_000, Examples: 41188, Positives: 4640, LogLoss: &loss, AUC: &auc, Model: "click@41188"}, &evaluationForm{}},
		{"deadletter", &event.DeadLetter{Stage: "ingest", Reason: "time is missing", Topic: "events", Partition: 3, Offset: 17, Time: at, Payload: e.AppendJSON(nil)}, &letterForm{}},
	}
}

func facts(n int) event.Fields {
	var f event.Fields
	for i := range n {
		f = append(f, event.Field{Name: "context_" + strconv.Itoa(i), Value: event.Value{Kind: event.String, Str: "value-" + strconv.Itoa(i*37)}},
			event.Field{Name: "user.click_count_" + strconv.Itoa(i), Value: event.Value{Kind: event.Number, Num: float64(i) * 1.25}})
	}
	return f
}

// Every library reads every message, so that what is measured is the same work.
func TestLibrariesReadTheMessages(t *testing.T) {
	for _, m := range messages() {
		line := m.own.AppendJSON(nil)
		for i := range libraries {
			current = &libraries[i]
			if err := current.unmarshal(line, m.form); err != nil {
				t.Fatalf("%s reads %s: %v", current.name, m.name, err)
			}
			again, err := current.marshal(m.form)
			if err != nil || !sameObject(line, again) {
				t.Errorf("%s writes %s as %s (%v), want %s", current.name, m.name, again, err, line)
			}
		}
	}
}

func sameObject(a, b []byte) bool {
	var x, y map[string]any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && fmt.Sprint(x) == fmt.Sprint(y)
}

func BenchmarkRead(b *testing.B) {
	for _, m := range messages() {
		line := m.own.AppendJSON(nil)
		measure(b, m.name+"/own", func() error { return m.own.UnmarshalJSON(line) })
		for i := range libraries {
			current = &libraries[i]
			measure(b, m.name+"/"+current.name, func() error { return current.unmarshal(line, m.form) })
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, m := range messages() {
		line := m.own.AppendJSON(nil)
		measure(b, m.name+"/own", func() error { line = m.own.AppendJSON(line[:0]); return nil })
		for i := range libraries {
			current = &libraries[i]
			if err := current.unmarshal(line, m.form); err != nil {
				b.Fatal(err)
			}
			measure(b, m.name+"/"+current.name, func() error { _, err := current.marshal(m.form); return err })
		}
	}
}

// measure reports the time on the processor too, which other programs disturb less.
func measure(b *testing.B, name string, f func() error) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		before := onProcessor()
		for b.Loop() {
			if err := f(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(onProcessor()-before)/float64(b.N), "cpu-ns/op")
	})
}

func onProcessor() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// TestWhatLibrariesAcceptAndRefuse prints what the loop needs of a reader beside speed, library by
// library, for the table in internal/strictjson/README.md.
func TestWhatLibrariesAcceptAndRefuse(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"repeated name", `{"id":"a","id":"b"}`},
		{"invalid UTF-8", "{\"id\":\"\xff\"}"},
		{"half a character", `{"id":"\ud83d"}`},
		{"nested 100 deep", `{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`},
		{"wrong kind", `{"source":{"partition":"x"}}`},
		{"NaN", `{"w":NaN}`},
		{"trailing text", `{} x`},
	} {
		for i := range libraries {
			current = &libraries[i]
			var into exampleForm
			var letter eventForm
			target := any(&into)
			if strings.Contains(c.text, `"id"`) {
				target = &letter
			}
			err := current.unmarshal([]byte(c.text), target)
			t.Logf("%-18s %-14s %.120s", c.name, current.name, strings.ReplaceAll(fmt.Sprint(err, " ", strconv.Quote(letter.ID)), "\n", " "))
		}
		var e event.Event
		var x event.Example
		t.Logf("%-18s %-14s %v; %v", c.name, "own", e.UnmarshalJSON([]byte(c.text)), x.UnmarshalJSON([]byte(c.text)))
	}
}
