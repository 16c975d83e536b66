package event

import (
	"slices"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/internal/strictjson"
)

// Whole numbers that float64 would round are ids: two that differ must stay different.
func TestWholeNumbersAreKeptToTheLastDigit(t *testing.T) {
	f := func(number, want string, kind ValueKind) {
		t.Helper()
		var got Fields
		if err := got.UnmarshalJSON([]byte(`{"a":{"x":` + number + `}}`)); err != nil {
			t.Fatal(err)
		}
		if got[0].Value.Kind != kind || got[0].Value.Text() != want {
			t.Errorf("%s reads as %+v, want %s of kind %d", number, got[0].Value, want, kind)
		}
		var again Fields
		if err := again.UnmarshalJSON(got.AppendJSON(nil)); err != nil || again[0].Value.Kind != kind || again[0].Value.Text() != want {
			t.Errorf("%s is written as %s and reads as %+v (%v)", number, got.AppendJSON(nil), again, err)
		}
	}
	f("9007199254740991", "9007199254740991", Number)
	f("9007199254740992", "9007199254740992", Number)
	f("9007199254740993", "9007199254740993", String)
	f("-9007199254740993", "-9007199254740993", String)
	f("1234567890123456789", "1234567890123456789", String)
	f("18446744073709551615", "18446744073709551615", String)
	f("9223372036854775807", "9223372036854775807", String)
	f("100000000000000000000", "100000000000000000000", Number)
	f("1000000000000000000000000", "1e+24", Number)
	f("1"+strings.Repeat("0", 400), "1"+strings.Repeat("0", 400), String)
	f("123456789012345", "123456789012345", Number)
	f("1e30", "1e+30", Number)
	f("9007199254740993.0", "9007199254740992", Number)
	f("0.30000000000000004", "0.30000000000000004", Number)
	f("0.1234567890123456789", "0.12345678901234568", Number)
	f("-0", "-0", Number)
}

func TestHalfACharacterIsReplaced(t *testing.T) {
	f := func(text, want string, replaced int) {
		t.Helper()
		var r Reader
		r.Reset(`{`+text+`:`+text+`}`, DefaultLimits)
		got := r.Fields(nil)
		if err := r.End(); err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		if got[0].Name != want || got[0].Value.Str != want || r.Replaced() != 2*replaced {
			t.Errorf("%s reads as %q with %d replaced, want %q with %d", text, got[0].Name, r.Replaced(), want, 2*replaced)
		}
		r.Reset(`{"x":`+text+`}`, DefaultLimits)
		for r.Object(); r.Key(); {
			r.Skip()
		}
		if err := r.End(); err != nil {
			t.Errorf("%s cannot be skipped: %v", text, err)
		}
	}
	f(`"Sale \ud83d\ude00"`, "Sale 😀", 0)
	f(`"Sale \ud83d"`, "Sale \ufffd", 1)
	f(`"\ude00 Sale"`, "\ufffd Sale", 1)
	f(`"\ud83d\u0041"`, "\ufffdA", 1)
	f(`"\ud83d\ud83d\ude00"`, "\ufffd😀", 1)
	f(`"\ude00\ud83d"`, "\ufffd\ufffd", 2)
	f(`"\ud83dx\n"`, "\ufffdx\n", 1)
	f(`"\ufffd"`, "\ufffd", 0)
	f("\"\xed\xa0\xbd\xed\xb8\x80\"", "😀", 0) // as halves of UTF-16 are written in CESU-8
	f("\"a\xed\xa0\xbd\"", "a\ufffd", 1)
	f("\"\xed\xb8\x80\\n\"", "\ufffd\n", 1)
	f("\"\xed\x9f\xbf\"", "\ud7ff", 0)
}

func TestOtherBytesThatAreNoUTF8AreRefused(t *testing.T) {
	for _, text := range []string{"\xff", "\xe9t\xe9", "\xed\xa0", "\xed\xa0\xbd\xff", "\xc0\x80", `\n` + "\xff"} {
		var f Fields
		if err := f.UnmarshalJSON([]byte(`{"x":"` + text + `"}`)); err == nil || err.Error() != "x is not valid UTF-8" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestNamesThatNobodyKnowsAreNoted(t *testing.T) {
	var n Notes
	e, err := ParseEventNoted([]byte(`{"type":"click","predictionId":"p1","context":{"unknown":1},"ts":{"a":[1]},"title":"\ud83d"}`), &n)
	if err != nil || e.Type != "click" || strings.Join(n.Unknown, " ") != "predictionId ts title" || n.Unnamed != 0 || n.Replaced != 0 {
		t.Errorf("%+v, %+v, %v", e, n, err)
	}
	n = Notes{}
	var many strings.Builder
	for i := range 20 {
		many.WriteString(`"` + strings.Repeat("ü", 40+i) + `":1,`)
	}
	if _, err := ParseEventNoted([]byte(`{`+many.String()+`"type":"\ud83d"}`), &n); err != nil || len(n.Unknown) != 8 || n.Unnamed != 12 || len(n.Unknown[0]) > 70 || n.Replaced != 1 {
		t.Errorf("%+v, %v", n, err)
	}
}

func TestEveryNameOfAnEventIsKnown(t *testing.T) {
	for _, name := range EventNames {
		var n Notes
		if _, err := ParseEventNoted([]byte(`{"`+name+`":null}`), &n); err != nil || len(n.Unknown) > 0 {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
	}
	members, err := strictjson.SplitObject(goldenMessages()["event"].AppendJSON(nil), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if !slices.Contains(EventNames, m.Name) {
			t.Errorf("%s is written, but EventNames lacks it: senders would be warned of it", m.Name)
		}
	}
}
