package settings

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/field"
)

type inner struct {
	Count int     `yaml:"count"`
	Rate  float64 `yaml:"rate"`
}

type named map[string]inner

func (named) Default() any { return inner{Count: 7} }

type target struct {
	Name  string        `yaml:"name"`
	On    bool          `yaml:"on"`
	Seed  uint64        `yaml:"seed"`
	Big   int64         `yaml:"big"`
	Wait  time.Duration `yaml:"wait"`
	List  []string      `yaml:"list"`
	Parts []inner       `yaml:"parts"`
	Inner inner         `yaml:"inner"`
	Named named         `yaml:"named"`
	Plain map[string]inner
	Maybe *inner `yaml:"maybe"`
	Brief brief  `yaml:"brief"`
}

type brief struct {
	inner
	Text string `yaml:"text"`
}

func (b *brief) Short(text string) { b.Text = "short for " + text }

func defaults() target {
	return target{Name: "n", On: true, Seed: 1, Wait: time.Second, Inner: inner{Count: 3, Rate: 0.5}}
}

func TestValuesAreReadOverTheDefaults(t *testing.T) {
	f := func(text string, change func(*target)) {
		t.Helper()
		got, want := defaults(), defaults()
		_, problems, err := Read("f.yaml", []byte(text), &got)
		if change != nil {
			change(&want)
		}
		if err != nil || len(problems) > 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, %v; want %+v", text, got, problems, err, want)
		}
	}
	f("", nil)
	f("# only a comment\n", nil)
	f("name: other\non: false", func(w *target) { w.Name, w.On = "other", false })
	f("name: 17", func(w *target) { w.Name = "17" })
	f("name: |\n  two\n  lines\n", func(w *target) { w.Name = "two\nlines\n" })
	f("name:\nseed:\nwait:\ninner:", nil) // what has no value keeps its default
	f("seed: 18446744073709551615\nbig: -9223372036854775808", func(w *target) { w.Seed, w.Big = math.MaxUint64, math.MinInt64 })
	f("big: 9223372036854775807", func(w *target) { w.Big = math.MaxInt64 })
	f("big: 1e6\nseed: 2e3", func(w *target) { w.Big, w.Seed = 1_000_000, 2000 })
	f("big: -2.0", func(w *target) { w.Big = -2 })
	f("wait: 2d", func(w *target) { w.Wait = 48 * time.Hour })
	f("list: [a, b]", func(w *target) { w.List = []string{"a", "b"} })
	f("list: []", func(w *target) { w.List = []string{} })
	f("inner: {count: 5}", func(w *target) { w.Inner.Count = 5 })
	f("inner: {rate: 2}", func(w *target) { w.Inner.Rate = 2 })
	f("inner: {rate: -1.5e-3}", func(w *target) { w.Inner.Rate = -1.5e-3 })
	f("inner: {rate: .inf}", func(w *target) { w.Inner.Rate = math.Inf(1) })
	f("maybe: {rate: 2}", func(w *target) { w.Maybe = &inner{Rate: 2} })
	f("maybe: {}", func(w *target) { w.Maybe = &inner{} })
	f("maybe:", nil)
	f("brief: it", func(w *target) { w.Brief.Text = "short for it" })
	f("brief: {text: it}", func(w *target) { w.Brief.Text = "it" })
	f("parts: [{count: 1}, {rate: 2}]", func(w *target) { w.Parts = []inner{{Count: 1}, {Rate: 2}} })
	f("named: {a: {rate: 1}, b: }", func(w *target) { w.Named = named{"a": {Count: 7, Rate: 1}, "b": {Count: 7}} })
	f("plain: {a: {rate: 1}}", func(w *target) { w.Plain = map[string]inner{"a": {Rate: 1}} })
	f("inner: &i {count: 9}\nparts: [*i, *i]", func(w *target) { w.Inner.Count, w.Parts = 9, []inner{{Count: 9}, {Count: 9}} })
	f("named:\n  a: &a {rate: 1, count: 2}\n  b: {<<: *a, count: 4}", func(w *target) { w.Named = named{"a": {2, 1}, "b": {4, 1}} })
	f("named:\n  a: &a {count: 1}\n  b: &b {count: 2, rate: 5}\n  c: {<<: [*a, *b]}", func(w *target) { w.Named = named{"a": {Count: 1}, "b": {2, 5}, "c": {1, 5}} })
}

func TestWhatIsWrongIsToldWithItsPlace(t *testing.T) {
	f := func(text string, wants ...string) {
		t.Helper()
		got := defaults()
		file, problems, err := Read("f.yaml", []byte(text), &got)
		if err == nil && len(problems) > 0 {
			err = file.Error(problems)
		}
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", text, err, want)
			}
		}
	}
	f("on: yes please", `f.yaml:1:5: on is "yes please", want true or false`, "\n    on: yes please\n        ^")
	f("a: 1\non: 3", "f.yaml:2:5: on is 3, want true or false")
	f("seed: -1", "f.yaml:1:7: seed is -1, want a whole number, 0 or more")
	f("seed: 1.5", "seed is 1.5, want a whole number, 0 or more")
	f("big: 9223372036854775808", "big is 9223372036854775808, want a whole number")
	f("big: 1e300", "want a whole number")
	f("big: [1]", "big is a list, want a whole number")
	f("inner: {rate: much}", `inner.rate is "much", want a number`)
	f("inner: {count: 1.5}", "inner.count is 1.5, want a whole number")
	f("inner: 5", "inner is 5, want a section with count, rate")
	f("named: 5", "named is 5, want a section of names")
	f("named: {a: {count: x}}", `named.a.count is "x", want a whole number`)
	f("wait: 5", "f.yaml:1:7: wait ", "5s")
	f("wait: [5s]", "wait is a list, want a duration, such as 30s, 5m, 24h or 7d")
	f("name: [a]", "name is a list, want a text")
	f("name: {a: 1}", "name is a section, want a text")
	f("list: a", `list is "a", want a list, such as [a]`)
	f("list: {a: 1}", "list is a section, want a list")
	f("list: [a, ]\nparts: [{count: 1}, ~]", "parts[1] has no value")
	f("nam: x", `unknown field "nam", did you mean name? Allowed are name, on, seed`)
	f("zebra: x", `unknown field "zebra", want one of name, on`)
	f("inner: {cuont: 1}", `unknown field "cuont" in inner, did you mean count?`)
	f("[1]", "the file is a list, want a section with name")
	f("name: x\n---\nname: y", "a second document begins here")
	f("name: [", "f.yaml:1:")
	f("name: *gone", "name is *gone, but no anchor &gone stands before it")
	f("inner: {<<: 5}", "inner.<< is 5, want a section")
	f("named:\n  a: &a {<<: *a, count: 1}", "named.a.<< merges sections in sections")
	f("maybe: {count: x}", "maybe.count is")
	f("brief: [a]", "brief is a list, want a section with")
	f("on: 1\nseed: x\nbig: y", "on is 1", "seed is", "big is") // all at once
	f(strings.Repeat("zebra: 1\n", 1)+"parts: ["+strings.TrimSuffix(strings.Repeat("{x: 1}, ", 12), ", ")+"]", "and 3 more")
	long := strings.Repeat("x", 80)
	f("on: "+long, `on is "`+long[:60]+`...", want true or false`)
}

// A number of a wrong kind becomes one that no check allows, so that the check can say which are.
func TestNumbersOfAWrongKindAreReplaced(t *testing.T) {
	got := defaults()
	_, problems, err := Read("f.yaml", []byte("big: x\nwait: x\ninner: {count: x, rate: x}"), &got)
	if err != nil || len(problems) != 4 {
		t.Fatal(problems, err)
	}
	for _, p := range problems {
		if !p.Kind {
			t.Errorf("%+v is not of a wrong kind", p)
		}
	}
	if got.Big != math.MinInt64 || got.Wait != math.MinInt64 || got.Inner.Count != math.MinInt64 || !math.IsNaN(got.Inner.Rate) {
		t.Errorf("%+v", got)
	}
	_, problems, _ = Read("f.yaml", []byte("nam: x"), &got)
	if len(problems) != 1 || problems[0].Kind {
		t.Errorf("an unknown field is told as %+v", problems)
	}
}

func TestErrorsOfChecksGetTheirLine(t *testing.T) {
	got := defaults()
	file, _, err := Read("f.yaml", []byte("name: x\ninner:\n  rate: 5\nparts:\n  - count: 1\n  - {count: 2}\n"), &got)
	if err != nil {
		t.Fatal(err)
	}
	f := func(path, want string) {
		t.Helper()
		if err := file.Locate(&field.Error{Field: path, Reason: "is wrong"}); err.Error() != want+path+" is wrong" {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	f("name", "f.yaml:1: ")
	f("inner.rate", "f.yaml:3: ")
	f("inner.count", "f.yaml:2: ") // where it belongs
	f("parts[0].count", "f.yaml:5: ")
	f("parts[1].rate", "f.yaml:6: ")
	f("parts[9].rate", "f.yaml:4: ")
	f("zebra", "f.yaml: ")
	if err := file.Locate(errors.New("no field")); err.Error() != "f.yaml: no field" {
		t.Error(err)
	}
	for path, want := range map[string]bool{"name": true, "inner": true, "inner.rate": true, "inner.count": false, "parts[1].count": true, "parts[2]": false, "on": false} {
		if file.Has(path) != want {
			t.Errorf("Has(%s) is %v", path, !want)
		}
	}
}

func TestSecretsAreLeftOut(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := Redact(text); got != want {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
	}
	f("redis://user:secret@host:6379", "redis://***@host:6379")
	f("redis://:secret@host", "redis://***@host")
	f("at redis://u:p@ss@host/0, and again redis://u:p@ss@host/0", "at redis://***@host/0, and again redis://***@host/0")
	f("redis://host:6379?password=secret&db=1", "redis://host:6379?password=***&db=1")
	f("rediss://u:sec ret'@host:1/2\nredis: x", "rediss://***@host:1/2\nredis: x")
	f("user:secret@host", "***@host")
	f("host:6379", "host:6379")
	f("somebody@example.org", "somebody@example.org")
	f("@host", "@host")
	var got target
	file, problems, _ := Read("f.yaml", []byte("on: redis://u:secret@host"), &got)
	if text := file.Error(problems).Error(); strings.Contains(text, "secret") || !strings.Contains(text, "***@host") {
		t.Error(text)
	}
}
