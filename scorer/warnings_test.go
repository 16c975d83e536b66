package scorer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// warned are the fields that an answer warns of, with the nearest known ones.
func warned(a answered) string {
	var all []string
	for _, w := range a.Warnings {
		if w.Field == "" {
			all = append(all, w.Message)
		} else {
			all = append(all, strings.TrimSuffix(w.Field+">"+w.Nearest, ">"))
		}
	}
	return strings.Join(all, " ")
}

func TestFieldsThatNobodyKnowsAreNamed(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := newScorer(t, func(u *setup) { u.registry = reg })
	count := 0.0
	f := func(body string, status int, want string, fields float64) {
		t.Helper()
		w := post(s, body, "")
		a := parseAnswer(t, w.Body.Bytes())
		if w.Code != status || warned(a) != want {
			t.Errorf("%s: %d %s, warnings %q, want %q", body, w.Code, w.Body, warned(a), want)
		}
		count += fields
		if got := metric(t, reg, "clickloop_scorer_unknown_fields_total"); got != count {
			t.Errorf("%s: %v fields are counted, want %v", body, got, count)
		}
	}
	const ads = `"candidates":[{"ad":"a"}]`
	f(`{`+ads+`}`, 200, "", 0)
	f(`{"tmax":5,`+ads+`}`, 200, "tmax>tmax_ms", 1)
	f(`{"epsilon":0.5,"objective":"click",`+ads+`}`, 200, "epsilon objective>objectives", 2)
	f(`{"userId":"u",`+ads+`}`, 200, "userId>user", 1)
	f(`{"Context":{"a":1},`+ads+`}`, 200, "Context>context", 1)
	f(`{"canditates":[{"ad":"b","deep":[{"x":null}]}],`+ads+`}`, 200, "canditates>candidates", 1)

	f(`{"tmax_ms":5,"objectives":["click"],"value":"p.click","explain":3,"log":"queued",`+ads+`}`, 200, "", 0)
	f(`{"candidates":[{"ad":"a","bid":1.5,"floor":{"x":1}},{"ad":"b","bid":2}]}`, 200, "candidates[0].bid>value candidates[0].floor", 3)
	f(`{"user":"u","context":{"tmax":5,"anything":{"goes":1}},"candidates":[{"ad":"a","context":{"bid":1}}]}`, 200, "", 0)
	f(`{"choose":1,"chose":2,"w":1,"row":3,"time":"2026-01-01T00:00:00Z","source":"s","anonymous":"x","request":"q",`+ads+`}`, 200, "chose>choose", 1)
	f(`{"canditates":[{"ad":"a"}]}`, 400, "canditates>candidates", 1)
	f(`{"tmax":5,"user":7,`+ads+`}`, 400, "tmax>tmax_ms", 1)
	f(`{"request":"again","tmax":1,`+ads+`}`, 200, "tmax>tmax_ms", 1)
	// an answer given before warns of what this one has
	f(`{"request":"again","tmin":1,`+ads+`}`, 200, "tmin", 1)
	many := `{`
	for i := range 40 {
		many += fmt.Sprintf(`"unknown_%d":1,`, i)
	}
	a := parseAnswer(t, post(s, many+ads+`}`, "").Body.Bytes())
	if len(a.Warnings) != maxWarnings+1 || !strings.Contains(a.Warnings[maxWarnings].Message, "24 more fields") {
		t.Errorf("of 40 fields, %d warnings, the last %+v", len(a.Warnings), a.Warnings[len(a.Warnings)-1])
	}
	long := parseAnswer(t, post(s, `{"`+strings.Repeat("x", 50_000)+`":1,`+ads+`}`, "").Body.Bytes())
	if len(long.Warnings) != 1 || len(long.Warnings[0].Field) > 300 || len(long.Warnings[0].Message) > 1000 {
		t.Errorf("a long name makes a warning of %d bytes", len(long.Warnings[0].Message))
	}
	shared := parseAnswer(t, post(s, `{"candidates":[{"ad":"a","bid":1},{"ad":"b","bid":2},{"ad":"c","bid":2}]}`, "").Body.Bytes())
	if len(shared.Warnings) != 1 || !strings.Contains(shared.Warnings[0].Message, "3 candidates have it") || !strings.Contains(shared.Warnings[0].Message, "did you mean value?") {
		t.Errorf("warnings %+v", shared.Warnings)
	}
}

func TestEachLineHasItsOwnWarnings(t *testing.T) {
	s := newScorer(t, nil)
	w := post(s, "{\"tmax\":1,\"candidates\":[{\"ad\":\"a\"}]}\n{\"candidates\":[{\"ad\":\"a\"}]}\n{\"bid\":1,\"candidates\":[]}\n", "application/x-ndjson")
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines: %s", len(lines), w.Body)
	}
	for i, want := range []string{"tmax>tmax_ms", "", "bid>value"} {
		if got := warned(parseAnswer(t, []byte(lines[i]))); got != want {
			t.Errorf("line %d warns of %q, want %q", i, got, want)
		}
	}
}

// metric is the value of a counter or gauge, or the number of a histogram's observations; labels
// are values, in the order of their names.
func metric(t testing.TB, reg *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			values := make([]string, 0, 2)
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			if strings.Join(values, " ") == strings.Join(labels, " ") {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return 0
}
