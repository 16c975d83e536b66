package run_test

import (
	"bytes"
	"context"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/fit"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/sequential"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

const shoppers = "../../examples/online-shoppers"

// Two networks of online-shoppers, whose learners meet on topics only, compare as two runs of fit
// over the same examples do.
func TestNetworksCompareAsTwoRunsOfFitDo(t *testing.T) {
	rec := open(t, shoppers)
	linear := model.DefaultConfig()
	linear.Network = []string{"linear"}
	var mixture model.Config
	l := start(t, func(c *config.Config) {
		recorded(rec)(c)
		c.Networks = config.Networks{"linear": linear}
		c.Objectives[0].Networks = []string{event.DefaultNetwork, "linear"}
		mixture = c.Model
	})
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	s, err := l.Play(ctx, run.PlayOptions{Recording: rec, Lockstep: true, Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	path, n := examplesOf(t, l.Client, s.Objective)
	losses, positives := lossesOf(t, s.Objective, path, mixture)
	others, _ := lossesOf(t, s.Objective, path, linear)
	if len(losses) != n || len(others) != n || n < 10_000 {
		t.Fatalf("fit has %d and %d losses of %d examples", len(losses), len(others), n)
	}
	// in lockstep without repeats or revisions, the offset of an example is its number
	var want sequential.Comparison
	for from := 0; from+500 <= n; from += 500 {
		b := sequential.Block{Examples: 500, Weight: 500}
		for i := from; i < from+500; i++ {
			b.Difference += others[i] - losses[i]
			if positives[i] {
				b.Positives++
			}
		}
		want.Add(b)
	}
	low, high, ok := want.Interval(0.05)
	if !ok || !(low > 0) {
		t.Fatalf("the runs of fit differ by %v within %v to %v: the recording tells nothing", want.Mean(), low, high)
	}
	var v event.Evaluation
	for v.Examples != want.Examples() {
		if ctx.Err() != nil {
			t.Fatalf("the comparison is %+v, want %d examples", v, want.Examples())
		}
		v = comparison(t, l)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %v, by fit %v", what, got, want)
		}
	}
	near("the difference", *v.Difference, want.Mean())
	near("the lower end", v.DifferenceInterval[0], low)
	near("the upper end", v.DifferenceInterval[1], high)
	if v.Network != "" || v.Versus != "linear" || v.Better != "network" || *v.Offsets != [2]int64{0, want.Examples()} {
		t.Errorf("the comparison is %+v", v)
	}
}

// comparison asks for the comparison of the only pair.
func comparison(t *testing.T, l *run.Loop) event.Evaluation {
	t.Helper()
	resp, err := http.Get("http://" + l.Admin + "/v1/networks")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	v, err := event.ParseEvaluation(bytes.TrimSpace(b))
	if err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return v
}

// examplesOf writes the examples on the topic to a file, and counts them.
func examplesOf(t *testing.T, client *stream.Client, objective string) (path string, n int) {
	t.Helper()
	ranges, err := client.Offsets(t.Context(), event.TopicExamples(objective))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	err = client.ReadRange(t.Context(), event.TopicExamples(objective), 0, 0, ranges[0].End, func(r *stream.Record) error {
		lines = append(lines, string(r.Value)+"\n")
		return nil
	})
	path = filepath.Join(t.TempDir(), "examples.jsonl")
	if err == nil {
		err = os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path, len(lines)
}

// lossesOf are the log losses of a network's predictions of examples that it has not learned yet,
// by fit.
func lossesOf(t *testing.T, objective, path string, cfg model.Config) (losses []float64, positive []bool) {
	t.Helper()
	net, err := model.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := fit.NewRun(objective, net)
	r.Observe(func(_ fit.Place, p, y float64) error {
		losses, positive = append(losses, -math.Log(1-math.Abs(y-p))), append(positive, y > 0.5)
		return nil
	})
	if _, err := r.Learn(t.Context(), &fit.Files{}, []string{path}, 0); err != nil {
		t.Fatal(err)
	}
	return losses, positive
}
