package strictjson

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// walk reads any value by steps, and returns it in the order of the text.
func walk(r *Reader, b *strings.Builder) {
	switch r.Kind() {
	case KindObject:
		b.WriteString("{")
		for r.Object(); r.Key(); {
			b.WriteString(r.Name() + "@" + r.Path() + ":")
			walk(r, b)
		}
		b.WriteString("}")
	case KindArray:
		b.WriteString("[")
		for r.Array(); r.Element(); {
			fmt.Fprint(b, r.Index(), ":")
			walk(r, b)
		}
		b.WriteString("]")
	case KindString:
		fmt.Fprintf(b, "%q ", r.Text())
	case KindNumber:
		f, digits := r.Exact()
		fmt.Fprint(b, f, digits, " ")
	case KindBool:
		fmt.Fprint(b, r.Bool(), " ")
	default:
		if !r.Null() {
			r.Skip()
		}
	}
}

func TestTheReaderStepsThroughATextInItsOrder(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		var r Reader
		var b strings.Builder
		r.Reset(text, Limits{Bytes: 1000, Depth: 5})
		walk(&r, &b)
		if err := r.End(); err != nil || b.String() != want {
			t.Errorf("%s reads as %s (%v), want %s", text, b.String(), err, want)
		}
	}
	f(`{"b":1,"a":{"c":[true,null,"x\n"]}}`, `{b@b:1 a@a:{c@a.c:[0:true 1:2:"x\n" ]}}`)
	f(`[[],{},9007199254740993]`, `[0:[]1:{}2:09007199254740993 ]`)
	f(` "é" `, `"é" `)
}

func TestAValueOfAnotherKindIsNamedByItsPath(t *testing.T) {
	f := func(text, want string, read func(*Reader)) {
		t.Helper()
		var r Reader
		r.Reset(text, Limits{Bytes: 1000, Depth: 5})
		for r.Object(); r.Key(); {
			for r.Array(); r.Element(); {
				read(&r)
			}
		}
		if err := r.End(); fmt.Sprint(err) != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	f(`{"a":[1,"x"]}`, "a[1] is a string, expected a number", func(r *Reader) { r.Number() })
	f(`{"a":["x",{}]}`, "a[1] is an object, expected a string", func(r *Reader) { r.Text() })
	f(`{"a":[1.5]}`, "a[0] is 1.5, expected a whole number of at most 64 bits", func(r *Reader) { r.Integer() })
	f(`{"a":[["x",2],["x"]]}`, "a[1] is no pair", func(r *Reader) {
		if _, _, ok := r.Pair(); !ok {
			r.Fail("is no pair")
		}
	})
	f(`{"a":[[[[[]]]]]}`, "a[0] is nested too deep", func(r *Reader) { r.Skip() })
	f(`{"a":[true],"a":[]}`, "a is given twice", func(r *Reader) { r.Bool() })
	f(`{"a":[7,true,"x"]}`, "<nil>", func(r *Reader) { r.Loose() })
}

// FuzzReader: what the Reader accepts is JSON to the standard library too, by steps and by Skip.
func FuzzReader(f *testing.F) {
	for _, text := range []string{`{"a":[1,{"b":null}],"c":"\ud83d\ude00"}`, `[1e5,-0.5,true]`, `{"a":1,"a":2}`, `"\x"`, `[1,]`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		limits := Limits{Bytes: 1 << 20, Depth: 32}
		var stepped, skipped Reader
		stepped.Reset(text, limits)
		walk(&stepped, new(strings.Builder))
		skipped.Reset(text, limits)
		skipped.Skip()
		byStep, bySkip := stepped.End(), skipped.End()
		if byStep == nil && (bySkip != nil || !json.Valid([]byte(text))) {
			t.Errorf("%q is accepted; skipped: %v", text, bySkip)
		}
	})
}
