package clickloop

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/internal/instrument"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
)

// gathered returns the metrics of a process, by name.
func gathered(t *testing.T, registry *prometheus.Registry) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*dto.MetricFamily{}
	for _, f := range families {
		found[f.GetName()] = f
	}
	return found
}

// boundedLabels are the labels that metrics may have, and what bounds their values. A label for
// ids, addresses, paths or users is not among them.
var boundedLabels = map[string]string{
	"answer": "the code", "cause": "the code", "code": "the code", "event": "types of objectives", "from": "the code", "kind": "the code",
	"label": "the code", "notice": "the code", "outcome": "the code", "port": "the code", "reason": "the code", "request": "the code",
	"result": "the code", "rule": "the code", "scope": "the code", "stage": "the code", "state": "the code", "step": "the code",
	"verdict": "the code", "window": "the code", "missing": "the code",
	"catalogue": "the configuration", "client": "names of configured keys, or the code", "consumer": "the code and the configuration",
	"fact": "the configuration", "objective": "the configuration", "topic": "the configuration", "partition": "partitions of topics",
	"version": "one for a process", "revision": "one for a process", "goversion": "one for a process",
}

// keywords cannot stand in by (...).
var keywords = []string{"and", "atan2", "bool", "by", "group_left", "group_right", "ignoring", "offset", "on", "or", "unless", "without"}

func TestMetricsKeepTheConventions(t *testing.T) {
	registry := inside[*prometheus.Registry](t, running(t))
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	all := gathered(t, registry)
	for _, name := range []string{"go_goroutines", "process_start_time_seconds", "clickloop_build_info", "clickloop_ready", "clickloop_recorded_time"} {
		if all[name] == nil {
			t.Errorf("there is no metric %s", name)
		}
	}
	for name, f := range all {
		if !strings.HasPrefix(name, "clickloop_") {
			continue
		}
		if regexp.MustCompile(`_(ms|micros|millis|share|percent)(_|$)`).MatchString(name) {
			t.Errorf("%s is not in a base unit", name)
		}
		m := f.GetMetric()[0]
		for _, l := range m.GetLabel() {
			if slices.Contains(keywords, l.GetName()) {
				t.Errorf("%s has the label %s, by which no query can group: it is a word of PromQL", name, l.GetName())
			}
			if boundedLabels[l.GetName()] == "" {
				t.Errorf("%s has the label %s: say in boundedLabels what bounds its values", name, l.GetName())
			}
		}
		if h := m.GetHistogram(); h != nil && (strings.HasSuffix(name, "_request_seconds") || strings.HasSuffix(name, "_call_seconds")) {
			checkBuckets(t, name, h)
		}
	}
}

// checkBuckets wants the buckets that all requests have in common.
func checkBuckets(t *testing.T, name string, h *dto.Histogram) {
	t.Helper()
	var bounds []float64
	for _, b := range h.GetBucket() {
		bounds = append(bounds, b.GetUpperBound())
	}
	if want := instrument.Latencies(); len(bounds) < len(want) || !slices.Equal(bounds[:len(want)], want) {
		t.Errorf("%s has the buckets %v, want %v first", name, bounds, want)
	}
}

// series counts the series of each metric of ours.
func series(t *testing.T, registry *prometheus.Registry) map[string]int {
	n := map[string]int{}
	for name, f := range gathered(t, registry) {
		if strings.HasPrefix(name, "clickloop_") {
			n[name] = len(f.GetMetric())
		}
	}
	return n
}

// Whatever clients send, the number of series stays what code and configuration make it.
func TestOddInputsMakeNoSeries(t *testing.T) {
	l := running(t)
	registry := inside[*prometheus.Registry](t, l)
	const words = 40
	odd := func(round int) {
		for i := range words {
			word := fmt.Sprintf("odd-%d-%d", round, i)
			send(t, http.MethodPost, l.HTTP, "/v1/events", `{"type":"`+word+`","user":"`+word+`","prediction":"`+word+`","`+word+`":1}`, word)
			send(t, http.MethodPost, l.HTTP, "/v1/score", `{"request":"`+word+`","user":"`+word+`","objectives":["`+word+`"],"candidates":[{"ad":"`+word+`"}]}`, word)
			send(t, http.MethodPost, l.HTTP, "/v1/score", `{"request":"`+word+`","candidates":[{"ad":"`+word+`","context":{"`+word+`":1}}]}`, "")
			send(t, http.MethodPost, l.HTTP, "/openrtb2/bid", `{"id":"`+word+`","imp":[{"id":"`+word+`"}],"cur":["`+word+`"]}`, word)
			send(t, http.MethodGet, l.HTTP, "/n/"+word+"?t="+word, "", word)
			send(t, http.MethodGet, l.HTTP, "/"+word, "", word)
			send(t, "ODD"+fmt.Sprint(i), l.HTTP, "/v1/score", "", word)
			send(t, http.MethodGet, l.Admin, "/v1/learner?objective="+word, "", word)
			send(t, http.MethodGet, l.Admin, "/v1/evaluation?window="+word, "", word)
		}
	}
	odd(0)
	before := series(t, registry)
	odd(1)
	odd(2)
	after := series(t, registry)
	sum := 0
	for _, name := range slices.Sorted(maps.Keys(after)) {
		sum += after[name]
		if n := after[name] - before[name]; n >= words { // consumers that begin to read have a few new ones
			t.Errorf("%s has %d series more after %d odd words", name, n, 2*words)
		}
	}
	if sum > 1500 {
		t.Errorf("a process of all stages has %d series, want at most 1500", sum)
	}
	t.Logf("%d series in %d metrics", sum, len(after))
}

// send sends a request whose answer does not matter.
func send(t *testing.T, method, address, path, body, key string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Origin", "https://"+key+".example")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
}
