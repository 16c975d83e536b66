package scorer

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every member that a request may have, refused in every way that its form allows.
func TestBadMembersAreRefusedWithTheFieldAndTheReason(t *testing.T) {
	s := twoObjectives(t, func(u *setup) { u.config.MaxBody = 4 << 20 })
	f := func(member string, status int, field, message string) {
		t.Helper()
		w := post(s, `{`+member+`,"candidates":[{"ad":"a"},{"ad":"b","context":{"text":"x","zero":0}}]}`, "application/json")
		a := parseAnswer(t, w.Body.Bytes())
		code := map[int]string{400: "bad_request", 413: "too_large"}[status]
		if w.Code != status || a.Error.Code != code || a.Error.Field != field || !strings.Contains(a.Error.Message, message) {
			t.Errorf("%.80s: %d %+v, want %d %s, field %q, message with %q", member, w.Code, a.Error, status, code, field, message)
		}
	}
	f(`"objectives":"click"`, 400, "objectives", "is a string, expected an array")
	f(`"objectives":[]`, 400, "objectives", "is empty, want names of objectives")
	f(`"objectives":["click",7]`, 400, "objectives[1]", "is a number, expected a string")
	f(`"objectives":["clik"]`, 400, "objectives[0]", `is "clik", which is not known; did you mean click?`)
	f(`"objectives":["click","Click"]`, 400, "objectives[1]", "did you mean click?")
	f(`"objectives":["zz"]`, 400, "objectives[0]", "known are click, conversion")
	f(`"objectives":[""]`, 400, "objectives[0]", `is ""`)
	f(`"objectives":["click","click"]`, 400, "objectives[1]", "is click again")
	f(`"objectives":["`+strings.Repeat("x", 10_000)+`"]`, 400, "objectives[0]", "xxx...")
	f(`"objectives":[`+strings.Repeat(`"click",`, 64)+`"click"]`, 400, "objectives[64]", "at most 64 are allowed")

	f(`"value":true`, 400, "value", "is a boolean, expected a string")
	f(`"value":1.5`, 400, "value", "is a number, expected a string")
	f(`"value":""`, 400, "value", "is empty, want an expression")
	f(`"value":" "`, 400, "value", "is empty")
	f(`"value":"p.click *"`, 400, "value", "at column 10: is not complete")
	f(`"value":"p.clicks * 2"`, 400, "value", "at column 1: p.clicks is not known; did you mean click?")
	f(`"value":"1 + click"`, 400, "value", "at column 5: click is not known by itself; did you mean p.click?")
	f(`"value":"p.click > 1"`, 400, "value", "is a boolean, want a number")
	f(`"value":"p.click * 1e999"`, 400, "value", "at column 11: the number 1e999 is too large")
	f(`"value":"'ü' == 'x' ? 1 : p.none"`, 400, "value", "at column 18: p.none is not known")
	f(`"value":"p.conversion","objectives":["click"]`, 400, "value", "at column 1: p.conversion is not one of the objectives that are asked for: click")
	f(`"value":"candidate.text * 2"`, 400, "value", "has no result for candidates[0] (ad a), at column 1: candidate.text is missing; where it may be, write candidate.text ?? DEFAULT")
	f(`"value":"(candidate.text ?? 1) * 2"`, 400, "value", "has no result for candidates[1] (ad b), at column 2: candidate.text is not a number")
	f(`"value":"1 / (candidate.zero ?? 1)"`, 400, "value", "has no result for candidates[1] (ad b), at column 3: division by zero")
	f(`"value":"`+strings.Repeat("1+", 500_000)+`1"`, 400, "value", "has 1000001 bytes, at most 2000 are allowed")
	f(`"value":"`+strings.Repeat("(", 900)+`"`, 400, "value", "at column 33: has more than 32 brackets in one another")
	f("\"value\":\"p.click\xff\"", 400, "value", "is not valid UTF-8")
	f(`"value":"p.click\u0000"`, 400, "value", "at column 8: unrecognized character")

	f(`"exclude":"a"`, 400, "exclude", "is a string, expected an array")
	f(`"exclude":["a",1]`, 400, "exclude[1]", "is a number, expected a string")
	f(`"exclude":[""]`, 400, "exclude[0]", "is empty, want an ad")
	f(`"exclude":["`+strings.Repeat("x", 257)+`"]`, 400, "exclude[0]", "has 257 bytes")
	f(`"exclude":[`+strings.Repeat(`"x",`, maxExclude)+`"y"]`, 400, "exclude[10000]", "at most 10000 are allowed")

	f(`"cap":3`, 400, "cap", "is a number, expected an array")
	f(`"cap":{}`, 400, "cap", "has no field, want the name of one")
	f(`"cap":{"most":1}`, 400, "cap", "has no field")
	f(`"cap":{"field":"ad"}`, 400, "cap", "has no most")
	f(`"cap":{"field":7,"most":1}`, 400, "cap.field", "is a number, expected a string")
	f(`"cap":[{"field":"ad","most":0}]`, 400, "cap[0].most", "is 0, want at least 1")
	f(`"cap":[{"field":"ad","most":1},{"field":"ad","most":1.5}]`, 400, "cap[1].most", "is 1.5, expected a whole number")
	f(`"cap":{"field":"ad","most":-1}`, 400, "cap.most", "is -1, want at least 1")
	f(`"cap":{"field":"ad","most":1e3}`, 400, "cap.most", "is 1e3, expected a whole number")
	f(`"cap":[`+strings.Repeat(`{"field":"ad","most":1},`, maxCaps)+`{"field":"ad","most":1}]`, 400, "cap[8]", "at most 8 are allowed")
	f(`"cap":{"field":"`+strings.Repeat("x", 257)+`","most":1}`, 400, "cap.field", "has 257 bytes")

	f(`"choose":2.5`, 400, "choose", "is 2.5, expected a whole number")
	f(`"choose":1e3`, 400, "choose", "is 1e3, expected a whole number")
	f(`"choose":99999999999999999999`, 400, "choose", "expected a whole number of at most 64 bits")
	f(`"choose":"2"`, 400, "choose", "is a string, expected a whole number")
	f(`"choose":1,"choose":2`, 400, "choose", "is given twice")
	f(`"w":1e999`, 400, "w", "is 1e999, which is too large for a number")
	f(`"context":{"a":1e999}`, 400, "context.a", "is 1e999, which is too large for a number")
	f(`"context":{"a":1,"a":2}`, 400, "context.a", "is given twice")
	f(`"context":`+strings.Repeat(`{"a":`, 10_000)+`1`+strings.Repeat(`}`, 10_000), 400, "context"+strings.Repeat(".a", 15), "is nested too deep")
	f(`"context":`+strings.Repeat(`[`, 10_000)+strings.Repeat(`]`, 10_000), 400, "context", "is an array, expected an object")
	f(`"unknown":`+strings.Repeat(`[`, 10_000)+strings.Repeat(`]`, 10_000), 400, "unknown", "is nested too deep")
	f(`"candidates":[]`, 400, "candidates", "is given twice")
	f(`"x":"`+strings.Repeat("x", 4<<20)+`"`, 413, "", "4194304 bytes")
}

func TestTooManyCandidatesAreRefused(t *testing.T) {
	s := newScorer(t, nil)
	f := func(n, status int, message string) {
		t.Helper()
		w := post(s, `{"candidates":[`+ads(n, "")+`]}`, "")
		if w.Code != status || !strings.Contains(w.Body.String(), message) {
			t.Errorf("%d candidates: %d %.300s", n, w.Code, w.Body)
		}
	}
	f(1000, 200, "a999")
	f(1001, 400, `candidates[1000] is one candidate too many: at most 1000 are allowed","field":"candidates[1000]"`)
}

func TestCandidatesThatRepeatOthersAreWarnedOf(t *testing.T) {
	s := newScorer(t, nil)
	f := func(candidates, want string) {
		t.Helper()
		w := post(s, `{"candidates":[`+candidates+`]}`, "")
		a := parseAnswer(t, w.Body.Bytes())
		got := ""
		for _, warning := range a.Warnings {
			got += warning.Field + ": " + warning.Message
		}
		if w.Code != 200 || got != want {
			t.Errorf("%.100s: %d %s, want %s", candidates, w.Code, got, want)
		}
	}
	f(`{"ad":"a"},{"ad":"b"},{"ad":"a","campaign":"c"}`, "")
	f(`{"ad":"a"},{"ad":"b"},{"ad":"a"}`, "candidates[2]: candidates[2] has the ad a and the campaign of candidates[0]. Both are scored.")
	f(`{"ad":"a","campaign":"c"},{"ad":"a","campaign":"c"},{"ad":"b"},{"ad":"b"}`,
		"candidates[1]: candidates[1] has the ad a and the campaign of candidates[0]. Both are scored. 2 candidates repeat an earlier one.")
	many := ads(999, "")
	f(many, "")
	f(many+`,{"ad":"a500","campaign":"c2"}`, "candidates[999]: candidates[999] has the ad a500 and the campaign of candidates[500]. Both are scored.")
}

// goodBodies have every member that a request may have.
var goodBodies = []string{
	`{"request":"%s","user":"u","anonymous":"x","source":"s","time":"2026-01-01T00:00:00Z","row":7,"w":2.5,"context":{"a":1,"b":{"c":"d"},"t":["x",["y",2]],"n":null},"choose":2,` +
		`"objectives":["conversion","click"],"value":"p.click * 0.4 + p.conversion * (candidate.margin ?? 1)","exclude":["z","a3"],"cap":[{"field":"campaign","most":1},{"field":"size","most":2}],` +
		`"candidates":[{"ad":"a1","campaign":"c1","value":2,"context":{"size":"1x1","margin":3}},{"ad":"a2","context":{"margin":-1.5e3}},{"ad":"a3"},{"ad":"a4","campaign":"c1"}]}`,
	`{"request":"%s","value":"candidate.campaign == \"c1\" and context.a in [1, 2] ? max(p.click, 0.1) : log(p.conversion)","context":{"a":1},"cap":{"field":"ad","most":1},"candidates":[{"ad":"a","campaign":"c1"},{"ad":"b","campaign":"c2"}]}`,
}

// mutateBytes changes a body in a few places, as broken clients and lines do.
func mutateBytes(random *rand.Rand, body []byte) []byte {
	for range 1 + random.IntN(4) {
		at := random.IntN(len(body))
		to := min(at+1+random.IntN(12), len(body))
		switch random.IntN(7) {
		case 0:
			body[at] = byte(random.IntN(256))
		case 1:
			body = append(body[:at], body[to:]...)
		case 2:
			body = append(body[:to], append([]byte(string(body[at:to])), body[to:]...)...)
		case 3:
			body = body[:max(at, 1)]
		case 4:
			other := random.IntN(len(body))
			body[at], body[other] = body[other], body[at]
		case 5:
			body = append(body[:at], append([]byte(`"[{:}],\0 -1e999`)[random.IntN(15):], body[at:]...)...)
		case 6:
			body[at] ^= 1 << random.IntN(8)
		}
		if len(body) == 0 {
			body = []byte("x")
		}
	}
	return body
}

// wrongValues stand where something else is expected.
func wrongValues(random *rand.Rand) any {
	deep := any("x")
	for range 20 {
		deep = []any{deep}
	}
	return []any{
		nil, true, "", "x", -1, 0, 2.5, 1e300, json.RawMessage("1e999"), json.RawMessage("99999999999999999999"), []any{}, map[string]any{}, []any{nil}, []any{[]any{}},
		map[string]any{"": 1}, deep, strings.Repeat("y", 300), "\u0000", "p.click *", "candidate.none + 1", "1 / 0", "((((((((((((((((((((((((((((((((((((1", map[string]any{"field": "ad", "most": 1},
		strings.Repeat("p.click+", 240) + "1", []any{"click", "click"}, strings.Repeat("é", 40),
	}[random.IntN(26)]
}

// mutateTree replaces, drops or adds a value somewhere in v.
func mutateTree(random *rand.Rand, v any) any {
	if random.IntN(4) == 0 {
		return wrongValues(random)
	}
	switch v := v.(type) {
	case map[string]any:
		names := slices.Sorted(maps.Keys(v))
		if len(names) == 0 {
			return wrongValues(random)
		}
		name := names[random.IntN(len(names))]
		switch random.IntN(6) {
		case 0:
			delete(v, name)
		case 1:
			v[name+"s"] = v[name]
			delete(v, name)
		default:
			v[name] = mutateTree(random, v[name])
		}
		return v
	case []any:
		if len(v) == 0 || random.IntN(4) == 0 {
			return append(v, wrongValues(random))
		}
		i := random.IntN(len(v))
		v[i] = mutateTree(random, v[i])
		return v
	}
	return wrongValues(random)
}

// mutants are so many bodies, each of which was a good one, changed by bytes or by values.
func mutants(t testing.TB, n int) []string {
	t.Helper()
	random := rand.New(rand.NewPCG(12, 1))
	var all []string
	for i := range n {
		body := fmt.Appendf(nil, goodBodies[i%len(goodBodies)], fmt.Sprint("r", i))
		if i%4 < 2 {
			all = append(all, string(mutateBytes(random, body)))
			continue
		}
		var tree any
		if err := json.Unmarshal(body, &tree); err != nil {
			t.Fatal(err)
		}
		for range 1 + random.IntN(2) {
			tree = mutateTree(random, tree)
		}
		text, err := json.Marshal(tree)
		if err != nil {
			if text, err = json.Marshal(fmt.Sprint(tree)); err != nil { // a number that Go does not write
				t.Fatal(err)
			}
		}
		all = append(all, string(text))
	}
	return all
}

// placed is a reason about the body as a whole, which has no field: it names a byte, or what the
// body is.
var placed = regexp.MustCompile(`^(the value (is not JSON: byte \d+: |is (a string|a number|a boolean|an array|null)|is not valid UTF-8|is nested too deep)|the body )`)

// Whatever is wrong with a body, the answer says where and why, and the next request is answered.
func TestMutatedBodiesAreRefusedWithAPlaceAndAReason(t *testing.T) {
	s := twoObjectives(t, func(u *setup) { u.config.Epsilon = 0.3 })
	for i, body := range goodBodies {
		if w := post(s, fmt.Sprintf(body, fmt.Sprint("good", i)), ""); w.Code != 200 {
			t.Fatalf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	counts := map[int]int{}
	var lines []string
	for _, body := range mutants(t, 4000) {
		w := post(s, body, "application/json")
		counts[w.Code]++
		var a answered
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			t.Fatalf("%q: %d, an answer that is no JSON: %s", body, w.Code, w.Body)
		}
		e := a.Error
		switch {
		case w.Code == 200 && e.Code == "":
		case w.Code == 409 && e.Field == "request":
		case (w.Code == 400 || w.Code == 413) && len(e.Message) > 10 && (e.Field != "" && strings.HasPrefix(e.Message, e.Field) || placed.MatchString(e.Message)):
		default:
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
		if strings.TrimSpace(body) != "" && !strings.Contains(body, "\n") {
			lines = append(lines, body)
		}
	}
	if t.Logf("answers by status: %v", counts); counts[400] < 2000 || counts[200] < 100 {
		t.Errorf("answers by status: %v: the mutations are too tame or too wild", counts)
	}
	w := post(s, strings.Join(lines[:1000], "\n"), "application/x-ndjson")
	if got := strings.Count(strings.TrimSpace(w.Body.String()), "\n") + 1; w.Code != 200 || got != 1000 {
		t.Errorf("as lines: %d, %d answers of 1000: %.200s", w.Code, got, w.Body)
	}
}
