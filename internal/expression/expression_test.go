package expression

import (
	"math"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
)

var testNames = Names{Numbers: map[string][]string{"p": {"click", "conversion"}}, Fields: []string{"candidate", "context"}}

// facts are what the fields of the tests hold.
var facts = map[string]event.Value{
	"p.click":                 {Kind: event.Number, Num: 0.5},
	"p.conversion":            {Kind: event.Number, Num: 0.25},
	"candidate.margin":        {Kind: event.Number, Num: 8},
	"candidate.zero":          {Kind: event.Number},
	"candidate.campaign":      {Kind: event.String, Str: "c1"},
	"candidate.premium":       {Kind: event.String, Str: "true"},
	"candidate.a long name":   {Kind: event.Number, Num: 3},
	"candidate.tags":          {Kind: event.List, List: []event.WeightedToken{{Token: "sport", Weight: 1}, {Token: "news", Weight: 1}}},
	"context.geo.country":     {Kind: event.String, Str: "DE"},
	"context.site":            {Kind: event.String, Str: "c1"},
	"context.budget":          {Kind: event.Number, Num: 10},
	"candidate.größe":         {Kind: event.Number, Num: 2},
	"candidate.not":           {Kind: event.Number, Num: 1},
	"candidate.a.b":           {Kind: event.Number, Num: 4},
	"candidate.negative":      {Kind: event.Number, Num: -1},
	"candidate.empty":         {Kind: event.String},
	"candidate.large":         {Kind: event.Number, Num: math.MaxFloat64},
	"candidate.known_missing": {},
}

func prepared(p *Program) *Run {
	r := new(Run)
	for _, ref := range p.Refs() {
		r.Values = append(r.Values, facts[ref.Group+"."+ref.Field])
	}
	return r
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]float64{
		"p.click * 0.40 + p.conversion * candidate.margin": 2.2,
		"1 + 2 * 3 - 4 / 8":           6.5,
		"-2 ** 2":                     -4,
		"2 ** 3 ** 2":                 512,
		"(-2) ^ 2":                    4,
		"7 % 4 + -7 % 4":              0,
		"0x10 + 0b11 + 1_000":         1019,
		"1e3":                         1000,
		".5":                          0.5,
		"+p.click":                    0.5,
		"min(3, 1, 2) + max(3, 1, 2)": 4,
		"abs(-3) + round(2.5) + floor(1.9) + ceil(0.1)":                8,
		"log(exp(2)) + sqrt(16)":                                       6,
		`candidate["a long name"] * candidate.größe`:                   6,
		"candidate.a.b + candidate.not":                                5,
		"candidate.missing ?? 7":                                       7,
		"candidate.margin ?? 7":                                        8,
		"candidate.missing ?? context.missing ?? 3":                    3,
		"p.click * (candidate.margin > 5 ? candidate.margin : 1)":      4,
		`candidate.campaign == "c1" ? 1 : 0`:                           1,
		`candidate.premium ? 2 : 1`:                                    2,
		`candidate.premium == true ? 2 : 1`:                            2,
		`candidate.missing == nil ? 2 : 1`:                             2,
		`candidate.margin != nil and candidate.margin > 7 ? 2 : 1`:     2,
		`context.geo.country in ["DE", "AT"] ? 1.2 : 1`:                1.2,
		`candidate.margin in [1, -2, 8] ? 1 : 0`:                       1,
		`"sport" in candidate.tags ? 1 : 0`:                            1,
		`"c1" in candidate.campaign ? 1 : 0`:                           1,
		`candidate.campaign not in ["c2"] ? 1 : 0`:                     1,
		`candidate.campaign == context.site ? 1 : 0`:                   1,
		`candidate.campaign == candidate.margin ? 1 : 0`:               0,
		`1 < p.click + 1 < 2 ? 1 : 0`:                                  1,
		`false and candidate.missing > 1 or not false ? 1 : 0`:         1,
		`candidate.zero == 0 ? 0 : 1 / candidate.zero`:                 0,
		"(p.click > 1 ? candidate.zero : candidate.margin) + 1":        9,
		"p.click // the rest is a comment":                             0.5,
		"(candidate.premium ? candidate.campaign : 'x') == 'c1' ? 1:0": 1,
	} {
		p, err := Compile(text, testNames)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := p.Number(prepared(p)); err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("%s = %v, %v, want %v", text, got, err, want)
		}
		if !p.Numeric() || p.String() != text {
			t.Errorf("%s: numeric %v, text %s", text, p.Numeric(), p)
		}
	}
}

func TestBooleans(t *testing.T) {
	for text, want := range map[string]bool{
		"candidate.margin < context.budget":                     true,
		"p.click >= 0.5 && p.click <= 0.5 || false":             true,
		"not candidate.premium":                                 false,
		"!(candidate.margin == 8)":                              false,
		`candidate.campaign != "c1"`:                            false,
		"candidate.premium":                                     true,
		"(p.click > 1) == (p.click > 2)":                        true,
		"candidate.tags == candidate.tags":                      true,
		`"a" == "b"`:                                            false,
		"candidate.premium ? p.click < 1 : candidate.margin> 1": true,
	} {
		p, err := Compile(text, testNames)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := p.Bool(prepared(p)); err != nil || got != want {
			t.Errorf("%s = %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestErrorsOfTextsNameTheColumnAndTheReason(t *testing.T) {
	deep := strings.Repeat("(", 40) + "1" + strings.Repeat(")", 40)
	shared := "true"
	for range 25 { // each doubles the paths of the tree: the middle of a < b < c is shared
		shared = "2<(" + shared + "?1:2)<3"
	}
	for text, want := range map[string]string{
		"":                               "is empty",
		" \n":                            "is empty",
		"p.click * \xff":                 "is not UTF-8",
		strings.Repeat("1+", 1000) + "1": "has 2001 bytes, at most 2000 are allowed",
		strings.Repeat("1+", 400) + "1":  "at column 201: has more than 500 operands and operators",
		deep:                             "at column 33: has more than 32 brackets in one another",
		shared:                           "at column 81: has more than 500 operands and operators",
		"p.clik * 2":                     "at column 1: p.clik is not known; did you mean click?",
		"1 + p.zzz":                      "at column 5: p.zzz is not known; known are click, conversion",
		"'größe' == p.q":                 "at column 12: p.q is not known; known are click, conversion",
		"click * 2":                      "at column 1: click is not known by itself; did you mean p.click?",
		"bid * 2":                        "at column 1: the name bid is not known; names begin with p.NAME, candidate.NAME, context.NAME",
		"2 * candidat.margin":            "at column 5: candidat.margin: the group candidat is not known; did you mean candidate?",
		"candidate * 2":                  "at column 1: candidate stands for a group of fields: write candidate.NAME",
		"p * 2":                          "at column 1: p stands for a group of fields: write p.NAME",
		"1 +":                            "at column 4: is not complete: more is expected here",
		"(1 + 2":                         "at column 7: is not complete: more is expected here",
		"1 + * 2":                        `at column 5: "*" is not expected here`,
		"1 2":                            `at column 3: "2" is not expected here`,
		"1 @ 2":                          "at column 3: unrecognized character: U+0040 '@'",
		`"a`:                             "at column 3: literal not terminated",
		"1e999":                          "at column 1: the number 1e999 is too large",
		"2 * 99999999999999999999":       "at column 5: the whole number 99999999999999999999 is too large: write it with an exponent",
		"1 + 12ab":                       `at column 7: bad number syntax: "12a"`,
		"let x = 1; x":                   `at column 1: "let": variables are not part of the language`,
		"1; 2":                           `at column 2: ";": sequences are not part of the language`,
		"map([1], # * 2)":                "at column 1: the function map is not known; did you mean max?",
		"sqr(2)":                         "at column 1: the function sqr is not known; did you mean sqrt?",
		"candidate.repeat(9)":            "at column 11: the function repeat is not known; known are abs, ceil, exp, floor, log, max, min, round, sqrt",
		"candidate.max(9)":               "at column 11: methods are not part of the language",
		"[1] | filter(.x)":               `at column 5: "|": pipes are not part of the language`,
		"1..5":                           `at column 2: "..": ranges are not part of the language`,
		"{a: 1}":                         `at column 1: "{": maps and blocks are not part of the language`,
		"b'abc' == 1":                    "at column 1: byte strings are not part of the language",
		`candidate.x matches "a+"`:       `at column 13: "matches": regular expressions are not part of the language`,
		`candidate.x contains "a"`:       `at column 13: "contains": searches in texts are not part of the language`,
		"candidate?.x":                   `at column 10: "?.": optional members are not part of the language`,
		"candidate.x = 1":                `at column 13: "=": assignments are not part of the language`,
		"p.click ?: 1":                   "at column 1: ?: is not part of the language: write c ? a : b, or a ?? b for a field that may be missing",
		"candidate.x ?: 1":               "at column 1: ?: is not part of the language: write c ? a : b, or a ?? b for a field that may be missing",
		"candidate[1]":                   `at column 11: the name of a field is expected here, as in candidate.margin or candidate["margin"]`,
		"candidate[context.a]":           `at column 11: the name of a field is expected here, as in candidate.margin or candidate["margin"]`,
		"(1).a":                          "at column 2: only a group of fields has members",
		"[1][0]":                         `at column 5: the name of a field is expected here, as in candidate.margin or candidate["margin"]`,
		"[1, 2]":                         "at column 1: a list is allowed behind in only",
		"nil":                            "at column 1: nil is allowed behind == and != only",
		"1 == nil":                       "at column 3: only a field may be compared with nil",
		`"a" + "b"`:                      "at column 1: is a text, want a number",
		`"a" * 2`:                        "at column 1: is a text, want a number",
		"true + 1":                       "at column 1: is a boolean, want a number",
		"not 1":                          "at column 5: is a number, want a boolean",
		`"a"`:                            "at column 1: is a text, want a number or a boolean",
		"1 < 'a'":                        "at column 5: is a text, want a number",
		"1 == 'a'":                       "at column 3: compares a number with a text",
		"p.click ?? 1":                   "at column 9: only a field has a default behind ??",
		"1 in ['a']":                     "at column 7: is a text, and what is looked for is a number",
		"true in ['a']":                  "at column 10: is a text, and what is looked for is a boolean",
		"true in []":                     "at column 6: a boolean is not in a list",
		"1 in [p.click]":                 "at column 7: the elements of a list are numbers or texts",
		"1 in 2":                         "at column 6: is a number, want a list such as [1, 2], or a field",
		"1 in candidate.tags":            "at column 1: is a number, want a text to look for in a field",
		"true ? 1 : 'a'":                 "at column 12: is a text, and a number without the condition: want the same of both",
		"log(1, 2)":                      "at column 1: log has 2 arguments, want 1 argument",
		"max()":                          "at column 1: max has 0 arguments, want at least 1 argument",
		"if true { 1 } else { 2 }":       `at column 9: "{": maps and blocks are not part of the language`,
		"$env.x":                         "at column 1: $env.x: the group $env is not known; known are p, candidate, context",
		"p.click + ::len('a')":           `at column 11: "::": built-in names are not part of the language`,
	} {
		if _, err := Compile(text, testNames); err == nil || err.Error() != want {
			t.Errorf("%.60q: %v\nwant %s", text, err, want)
		}
	}
}

func TestFailuresNameTheColumnAndTheField(t *testing.T) {
	for text, want := range map[string]string{
		"p.click * candidate.missing":                     "at column 11: candidate.missing is missing; where it may be, write candidate.missing ?? DEFAULT",
		"candidate.known_missing":                         "at column 1: candidate.known_missing is missing; where it may be, write candidate.known_missing ?? DEFAULT",
		`candidate["a b"] + 1`:                            `at column 1: candidate["a b"] is missing; where it may be, write candidate["a b"] ?? DEFAULT`,
		"candidate.missing ?? context.none":               "at column 1: candidate.missing is missing; where it may be, write candidate.missing ?? DEFAULT",
		"2 * candidate.campaign":                          "at column 5: candidate.campaign is not a number",
		"candidate.campaign ?? 1":                         "at column 1: candidate.campaign is not a number",
		"candidate.margin ? 1 : 2":                        "at column 1: candidate.margin is not true or false",
		"1 / candidate.zero":                              "at column 3: division by zero",
		"1 % candidate.zero":                              "at column 3: division by zero",
		"log(candidate.zero)":                             "at column 1: log of a number that is not positive",
		"sqrt(candidate.negative)":                        "at column 1: sqrt of a negative number",
		"exp(1000)":                                       "at column 1: a result that is not a finite number",
		"candidate.negative ** 0.5":                       "at column 20: a power that is not a finite number",
		"candidate.large * 10":                            "at column 17: the result is not a finite number",
		"candidate.large*10-candidate.large*10":           "at column 19: the result is not a finite number",
		`"a" in candidate.margin ? 1 : 0`:                 "at column 8: candidate.margin is a number, want a list or a text to look in",
		`candidate.tags in ["a"] ? 1 : candidate.missing`: "at column 31: candidate.missing is missing; where it may be, write candidate.missing ?? DEFAULT",
		`candidate.margin in context.site ? 1 : 0`:        "at column 1: candidate.margin is not a text",
	} {
		p, err := Compile(text, testNames)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		_, err = p.Number(prepared(p))
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", text, err, want)
			continue
		}
		if got := err.(*Error).Missing; got != strings.Contains(want, "is missing") {
			t.Errorf("%s: missing %v", text, got)
		}
	}
}

func TestEvaluationAllocatesNothing(t *testing.T) {
	for _, text := range []string{
		"p.click * 0.40 + p.conversion * candidate.margin",
		`min(candidate.missing ?? 1, 2) * (context.geo.country in ["DE", "AT"] and candidate.campaign == "c1" ? 1.2 : 1)`,
		`("sport" in candidate.tags) == candidate.premium ? exp(p.click) : log(2)`,
	} {
		p, err := Compile(text, testNames)
		if err != nil {
			t.Fatal(err)
		}
		r := prepared(p)
		if n := testing.AllocsPerRun(100, func() { _, _ = p.Number(r) }); n != 0 {
			t.Errorf("%s allocates %v times", text, n)
		}
	}
}

// FuzzCompile compiles any text, and evaluates what compiles: no panic, an error with a place in
// the text, and a finite number.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{"p.click * 0.40 + p.conversion * candidate.margin", "1 < 2 < 3 ? candidate.a ?? 1 : -2 ** 0.5", "'a' in ['b'] or not candidate.x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Compile(text, testNames)
		if err != nil {
			if e := err.(*Error); e.Reason == "" || e.Column < 0 || e.Column > len(text)+1 {
				t.Fatalf("%q: column %d: %q", text, e.Column, e.Reason)
			}
			return
		}
		r := prepared(p)
		if !p.Numeric() {
			_, _ = p.Bool(r)
		} else if n, err := p.Number(r); err == nil && (math.IsNaN(n) || math.IsInf(n, 0)) {
			t.Fatalf("%q gives %v", text, n)
		}
	})
}

func BenchmarkNumber(b *testing.B) {
	p, err := Compile("p.click * 0.40 + p.conversion * candidate.margin", testNames)
	if err != nil {
		b.Fatal(err)
	}
	r := prepared(p)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = p.Number(r)
	}
}

// BenchmarkLargest evaluates a text of as many nodes as are allowed.
func BenchmarkLargest(b *testing.B) {
	p, err := Compile("1"+strings.Repeat("*exp(p.click)", 124)+strings.Repeat("+1", 60), testNames)
	if err != nil {
		b.Fatal(err)
	}
	r := prepared(p)
	for b.Loop() {
		_, _ = p.Number(r)
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		_, _ = Compile("p.click * 0.40 + p.conversion * candidate.margin", testNames)
	}
}
