package strictjson

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// texts are the parts' texts; one that is lost is marked.
func texts(parts []Part) []string {
	all := make([]string, len(parts))
	for i, p := range parts {
		all[i] = string(p.Text)
		if p.Lost != "" {
			all[i] = "lost: " + all[i]
		}
	}
	return all
}

func TestABadElementSparesTheOthers(t *testing.T) {
	f := func(bad string) {
		t.Helper()
		text := ` [ {"a":[1,"]"]} , ` + bad + ` ,{"b":2}]`
		parts, err := SplitArray([]byte(text), 10)
		if want := []string{`{"a":[1,"]"]}`, bad, `{"b":2}`}; err != nil || !slices.Equal(texts(parts), want) {
			t.Errorf("%s is cut into %q (%v), want %q", text, texts(parts), err, want)
			return
		}
		if at := parts[1].At; text[at:at+len(bad)] != bad || bad != "" && parts[1].Place("events", 1) != "events[1], byte 20" {
			t.Errorf("%s stands at %s", bad, parts[1].Place("events", 1))
		}
	}
	f(`7`)
	f(``)
	f(`[]`)
	f(`"\ud800"`)
	f(`{"x":1e999}`)
	f("\"\xff\"")
	f(`{"x":NaN}`)
	f(`{"x":-Infinity,"y":[undefined, None]}`)
	f(`{"x":.5,"y":+1,"z":01,"h":0x10}`)
	f(`NaN`)
	f(`{"x":}`)
	f(`{"x":1,}`)
	f(`{"x":[1,2,,3],}`)
	f(`{,}`)
	f(`{"x" 1}`)
	f(`{x:1,y:{z:"}"}}`)
	f(`{'x':'a, ]} b'}`)
	f(`{'it\'s':1}`)
	f(`{"x":it's}`)
	f(`{"x":1 /* no, ]} yes */}`)
	f("{\"x\":1, // no, ]} \"yes\n\"y\":2}")
	f("{\"x\":\"a\nb\"}")
	f(`{"x":"\q"}`)
	f(`{"x":]}`)
	f(`{"x":[1,2}`)
	f(`{"x":http://shop.example/}`)
	f(`{"a":1,"a":2}`)
	f(`{"a":1} x`)
	f(`}`)
	f(`{"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`)
	f(`{"x":` + strings.Repeat(`{"y":`, 5000) + "1" + strings.Repeat("}", 5001))
}

func TestWhatComesBeforeALostElementIsKept(t *testing.T) {
	f := func(text, reason string, want ...string) {
		t.Helper()
		parts, err := SplitArray([]byte(text), 10)
		if err != nil || !slices.Equal(texts(parts), want) {
			t.Fatalf("%s is cut into %q (%v), want %q", text, texts(parts), err, want)
		}
		if last := parts[len(parts)-1]; !strings.Contains(last.Lost, reason) || text[last.At:] != string(last.Text) {
			t.Errorf("%s: the rest at %d is lost since it %s, want %s", text, last.At, last.Lost, reason)
		}
	}
	f(`[{"a":1},{"b":"x},{"c":3}]`, "byte 12: expected", `{"a":1}`, `lost: {"b":"x},{"c":3}]`)
	f(`[{"a":1},{"b":{"c":3},{"d":4}]`, "the rest of the body is lost", `{"a":1}`, `lost: {"b":{"c":3},{"d":4}]`)
	f(`[{"a":1},{"b":2}`, "expected ','", `{"a":1}`, `lost: {"b":2}`)
	f(`[{"a":1},`, "the array has no end", `{"a":1}`, `lost: `)
	f(`[{"a":1}] {"b":2}`, "follows the end of the array", `{"a":1}`, `lost: {"b":2}`)
	f(`[`, "the array has no end", `lost: `)
	f(strings.Repeat("[", 3000), "nested too deep", `lost: `+strings.Repeat("[", 2999))
}

func TestCommasTooManyAndTooFewAreTold(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		parts, err := SplitArray([]byte(text), 10)
		if err != nil || !slices.Equal(texts(parts), want) {
			t.Errorf("%s is cut into %q (%v), want %q", text, texts(parts), err, want)
		}
	}
	f(`[]`)
	f(`[ ]  `)
	f(`[{"a":1},]`, `{"a":1}`, ``)
	f(`[,{"a":1}]`, ``, `{"a":1}`)
	f(`[{"a":1},,{"b":2}]`, `{"a":1}`, ``, `{"b":2}`)
	f(`[{"a":1} {"b":2}]`, `{"a":1}`, `{"b":2}`)
	// no comment begins in an address
	f("[{\"a\":http://shop.example/},\n{\"b\":2}]", `{"a":http://shop.example/}`, `{"b":2}`)
	f("[{\"a\":1} // one\n,{\"b\":2}]", "{\"a\":1} // one", `{"b":2}`)
	f(`[{"a":NaN,"b":"\"]}"},{"c":3}]`, `{"a":NaN,"b":"\"]}"}`, `{"c":3}`)
	f("[{\"a\":1}\n{\"b\":2},{\"c\":3}]", `{"a":1}`, `{"b":2}`, `{"c":3}`)
}

func TestBatchesThatCannotBeCutAreRefused(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := SplitArray([]byte(text), 2); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("%.40s: got %v, want %s", text, err, want)
		}
	}
	f(`{}`, "is an object, expected an array")
	f(``, "is not JSON")
	f(`null`, "is null, expected an array")
	f(`[1,2,3]`, "too many elements: at most 2")
	f(`[1,2,]`, "too many elements: at most 2")
	f(`[1,2] x`, "too many elements: at most 2")
}

func TestAnObjectIsCutIntoItsMembers(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		members, err := SplitObject([]byte(text), 10)
		var got []string
		for _, m := range members {
			got = append(got, m.Name+"="+texts([]Part{m.Part})[0])
			if text[m.At:m.At+len(m.Text)] != string(m.Text) {
				t.Errorf("%s: %s does not stand at %d", text, m.Text, m.At)
			}
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is cut into %q (%v), want %q", text, got, err, want)
		}
	}
	f(`{}`)
	f(`{"a":1, "b" : [1,NaN] ,"c":{"d":.5}}`, `a=1`, `b=[1,NaN]`, `c={"d":.5}`)
	f(`{"\u0061":1,"a":2}`, `a=1`, `a=2`)
	f(`{"a":1,}`, `a=1`)
	f(`{"a":1,b:2}`, `a=1`, `=lost: b:2}`)
	f(`{"a":1,"b":"x}`, `a=1`, `b=lost: "x}`)
	f(`{"a":1} x`, `a=1`, `=lost: x`)
	f(`{"a":[1,2]`, `a=lost: [1,2]`)
	if _, err := SplitObject([]byte(`{"a":1,"b":2}`), 1); err == nil || !strings.Contains(err.Error(), "too many members: at most 1") {
		t.Error(err)
	}
	if _, err := SplitObject([]byte(`[]`), 1); err == nil || err.Error() != "the value is an array, expected an object" {
		t.Error(err)
	}
}

// However brackets, quotes and comments are mixed, good events around them are either returned
// whole or lie in what is told to be lost, and cutting takes no more than linear time.
func TestCuttingAnyGarbageLosesNothingSilently(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	bits := []string{"{", "}", "[", "]", ",", ":", `"`, "'", `\`, "/*", "*/", "//", "\n", "NaN", "1", " ", "x", `"a":`}
	for n := range 20_000 {
		var garbage strings.Builder
		for range rng.IntN(12) {
			garbage.WriteString(bits[rng.IntN(len(bits))])
		}
		text := `[{"first":1},` + garbage.String() + `,{"last":1}]`
		parts, err := SplitArray([]byte(text), 100)
		if err != nil {
			t.Fatalf("%d: %s: %v", n, text, err)
		}
		all := texts(parts)
		if all[0] != `{"first":1}` || !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, `{"last":1}`) }) {
			t.Fatalf("%d: %s is cut into %q", n, text, all)
		}
		end := 0
		// what lies between parts is no more than commas, space and the brackets
		for i, p := range parts {
			if gap := strings.Trim(text[end:p.At], " \n,[]"); gap != "" || p.At < end {
				t.Fatalf("%d: %s: %q before part %d is lost", n, text, gap, i)
			}
			end = p.At + len(p.Text)
		}
	}
	began := time.Now()
	for _, bit := range []string{"[", "{", "]", "}", "[}", "{]", "'", ",'", "/*", "//", `"`, `,"`, `\`, ",'\\"} {
		text := "[1 x" + strings.Repeat(bit, 1<<20/len(bit)) + "]"
		_, _ = SplitArray([]byte(text), 10)
		_, _ = SplitObject([]byte(`{"batch":`+text), 10)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("megabytes of brackets take %v", took)
	}
}

func TestLinesAreCutAndBounded(t *testing.T) {
	const text = "\ufeff{}\n\n {\"a\":1} \r\n\ufeff7"
	parts, err := SplitLines([]byte(text), 3)
	if err != nil || len(parts) != 3 || string(parts[0].Text) != "{}" || string(parts[1].Text) != `{"a":1}` || string(parts[2].Text) != "7" {
		t.Fatalf("%+v, %v", parts, err)
	}
	for i, line := range []int{1, 3, 4} {
		if p := parts[i]; p.Line != line || text[p.At:p.At+len(p.Text)] != string(p.Text) || p.Lost != "" {
			t.Errorf("part %d is on line %d at %d, want line %d", i, p.Line, p.At, line)
		}
	}
	if place := parts[1].Place("events", 1); place != "line 3, byte 9" {
		t.Error(place)
	}
	if _, err := SplitLines([]byte("1\n2\n3"), 2); err == nil {
		t.Fatal("three lines pass a limit of two")
	}
}
