package feedback

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

func threeNetworks() event.Objective {
	return event.Objective{Name: "click", Trigger: event.TriggerPrediction, Positive: event.TypeClick, Window: time.Minute, Networks: []string{"plain", "default", "wide"}}
}

// blockOf is the n-th block of a network, whose log loss is that of the stream times better.
func blockOf(network string, n int64, better float64) event.Evaluation {
	rng := rand.New(rand.NewPCG(uint64(n), 3))
	loss := 100 + 10*rng.NormFloat64() // of the stream
	own := rand.New(rand.NewPCG(uint64(n), uint64(len(network))))
	loss = loss*better + 0.5*own.NormFloat64()
	weight, mean := 500., loss/500
	return event.Evaluation{
		Objective: "click", Window: event.WindowBlock, Start: t0 + event.Time(n)*500_000, End: t0 + event.Time(n)*500_000 + 499_000, Examples: 500, Positives: 25 + n%5,
		Weight: &weight, LogLoss: &mean, LogLossSum: &loss, Network: network, Offsets: &[2]int64{500 * n, 500*n + 500}, Model: "m@1",
	}
}

// compareAll folds blocks in an order and returns the comparisons.
func compareAll(o event.Objective, blocks ...event.Evaluation) []event.Evaluation {
	n := newNetworks(&o)
	for i := range blocks {
		n.add(&blocks[i])
	}
	return n.evaluations()
}

func blocksBetween(network string, from, to int64, better float64) (all []event.Evaluation) {
	for n := from; n < to; n++ {
		all = append(all, blockOf(network, n, better))
	}
	return all
}

func TestAllPairsOfNetworksAreCompared(t *testing.T) {
	o := threeNetworks()
	all := compareAll(o, slices.Concat(blocksBetween("", 0, 100, 1), blocksBetween("plain", 0, 100, 1.02), blocksBetween("wide", 0, 100, 1.001))...)
	var names []string
	for _, v := range all {
		names = append(names, v.Network+" "+v.Versus+" "+v.Better)
		if v.Window != "networks" || v.Examples != 50_000 || *v.Offsets != [2]int64{0, 50_000} || v.Start != t0 || v.End != t0+99*500_000+499_000 || v.DifferenceInterval == nil {
			t.Errorf("the comparison is %+v", v)
		}
	}
	if want := []string{" plain network", " wide ", "plain wide versus"}; !slices.Equal(names, want) {
		t.Errorf("the pairs are %q, want %q", names, want)
	}
	difference := 0.
	for n := range int64(100) {
		difference += *ptr(blockOf("plain", n, 1.02)).LogLossSum - *ptr(blockOf("", n, 1)).LogLossSum
	}
	if got := *all[0].Difference; math.Abs(got-difference/50_000) > 1e-12 || got < all[0].DifferenceInterval[0] || got > all[0].DifferenceInterval[1] {
		t.Errorf("the difference is %v within %v, want %v", got, *all[0].DifferenceInterval, difference/50_000)
	}
	// with fewer pairs, an interval may fail more often and is narrower
	o.Networks = []string{"default", "plain"}
	two := compareAll(o, slices.Concat(blocksBetween("", 0, 100, 1), blocksBetween("plain", 0, 100, 1.02))...)
	if two[0].DifferenceInterval[0] <= all[0].DifferenceInterval[0] {
		t.Errorf("alone the pair has the interval %v, among three %v", *two[0].DifferenceInterval, *all[0].DifferenceInterval)
	}
}

func ptr(v event.Evaluation) *event.Evaluation { return &v }

func TestTheOrderOfBlocksOnTheTopicDoesNotMatter(t *testing.T) {
	o := threeNetworks()
	in := [][]event.Evaluation{blocksBetween("", 0, 60, 1), blocksBetween("plain", 0, 60, 1.05), blocksBetween("wide", 0, 60, 1)}
	want := compareAll(o, slices.Concat(in...)...)
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 9))
		queues, mixed := slices.Clone(in), []event.Evaluation(nil)
		for len(queues[0])+len(queues[1])+len(queues[2]) > 0 {
			if i := rng.IntN(3); len(queues[i]) > 0 {
				mixed = append(mixed, queues[i][0])
				if rng.IntN(4) == 0 { // its learner is killed and writes it again
					mixed = append(mixed, queues[i][0])
				}
				queues[i] = queues[i][1:]
			}
		}
		if got := compareAll(o, mixed...); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: %s, want %s", seed, lines(got), lines(want))
		}
	}
}

func TestNetworksAreComparedWhereBothHaveTheSameExamples(t *testing.T) {
	o := threeNetworks()
	o.Networks = []string{"default", "plain"}
	f := func(what string, want event.Evaluation, blocks ...[]event.Evaluation) {
		t.Helper()
		got := compareAll(o, slices.Concat(blocks...)...)[0]
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	from := func(first int64) event.Evaluation {
		return compareAll(o, slices.Concat(blocksBetween("", first, 80, 1), blocksBetween("plain", first, 80, 1.02))...)[0]
	}
	never := event.Evaluation{Objective: "click", Window: "networks", Versus: "plain"}
	base := blocksBetween("", 0, 80, 1)
	f("one of them has no block", never, base)
	f("one joins late", from(30), base, blocksBetween("plain", 30, 80, 1.02))
	f("one begins anew with other settings", from(0), base, blocksBetween("plain", 0, 50, 1.9), blocksBetween("plain", 0, 80, 1.02))
	f("one begins anew and later", from(30), base, blocksBetween("plain", 20, 50, 1.9), blocksBetween("plain", 30, 80, 1.02))
	f("both begin anew", from(0), blocksBetween("", 0, 50, 3), blocksBetween("plain", 0, 40, 2), blocksBetween("plain", 0, 80, 1.02), base)
	gone := blocksBetween("plain", 0, 80, 1.02)
	gone[40].Network = "another" // which the objective has not
	gone[41].Examples = 499      // it refused one
	gone[42].Start++             // of another topic
	gone[43].Offsets, gone[44].Weight = nil, nil
	lacking := slices.Concat(blocksBetween("", 0, 40, 1), blocksBetween("", 45, 80, 1))
	f("some are missing", compareAll(o, slices.Concat(lacking, blocksBetween("plain", 0, 80, 1.02))...)[0], base, gone)
	if v := compareAll(o, slices.Concat(base, gone)...)[0]; v.Examples != 75*500 {
		t.Errorf("of 80 blocks, 5 of them of no use, %d examples are compared", v.Examples)
	}
}

func TestRarePositivesWaitUntilTheyMakeAUnit(t *testing.T) {
	o := threeNetworks()
	o.Networks = []string{"default", "plain"}
	var blocks []event.Evaluation
	for n := range int64(10) {
		for _, network := range []string{"", "plain"} {
			b := blockOf(network, n, 1)
			b.Positives = 4
			blocks = append(blocks, b)
		}
	}
	if v := compareAll(o, blocks...)[0]; v.Examples != 9*500 || v.Positives != 36 || v.Offsets[1] != 9*500 || v.DifferenceInterval != nil || v.Better != "" {
		t.Errorf("blocks with four positives each are compared as %+v", v)
	}
}

// However far a network is behind, memory is bounded, and it is compared from where the other's
// blocks are still known.
func TestBlocksThatWaitForAnotherNetworkAreBounded(t *testing.T) {
	o := threeNetworks()
	o.Networks = []string{"default", "plain"}
	n := newNetworks(&o)
	const far = maxSeries + 1000
	for _, network := range []string{"", "plain"} {
		for i := range int64(far) {
			v := blockOf(network, i, 1)
			n.add(&v)
		}
	}
	v := n.evaluations()[0]
	if kept := len(n.series[""].blocks); kept > maxSeries || v.Offsets[0] != 500*int64(far-kept) || v.Offsets[1] != 500*far || v.Examples != 500*int64(kept) {
		t.Errorf("%d blocks are kept, and compared are %d examples at %v", kept, v.Examples, *v.Offsets)
	}
}

func TestComparisonsAreWrittenWhenTheyTellMore(t *testing.T) {
	v := func(examples int64, end event.Time, better string) *event.Evaluation {
		return &event.Evaluation{Examples: examples, End: end, Better: better}
	}
	f := func(v, last *event.Evaluation, want bool) {
		t.Helper()
		if got := due(v, last); got != want {
			t.Errorf("%+v after %+v is due: %v", v, last, got)
		}
	}
	f(v(0, 0, ""), nil, false)
	f(v(500, 0, ""), nil, true)
	f(v(10_000, 0, ""), v(10_000, 0, ""), false)
	f(v(10_500, 0, ""), v(10_000, 0, ""), true)
	f(v(100_500, 0, ""), v(100_000, 0, ""), false)
	f(v(100_500, 0, "network"), v(100_000, 0, ""), true)
	f(v(100_500, 0, ""), v(100_000, 0, "versus"), true)
	f(v(100_500, hour, ""), v(100_000, hour-1, ""), true)
	f(v(500, 0, ""), v(100_000, 0, ""), true)
	written := 0
	for last, n := (*event.Evaluation)(nil), int64(1); n < 200_000; n++ {
		if now := v(500*n, 0, ""); due(now, last) {
			last = now
			written++
		}
	}
	if written < 150 || written > 250 {
		t.Errorf("while 100 million examples came, %d comparisons were written", written)
	}
}

// comparisons are those on the topic, by versus and the offset at which they end.
func (r *rig) comparisons() map[string]event.Evaluation {
	r.Helper()
	found := map[string]event.Evaluation{}
	for _, rec := range r.read(event.TopicEvaluations) {
		v, err := event.ParseEvaluation(rec.Value)
		if err != nil {
			r.Fatal(err)
		}
		if v.Window != event.WindowNetworks {
			continue
		}
		key := fmt.Sprint(v.Network, " ", v.Versus, " ", v.Offsets[1])
		if before, twice := found[key]; twice && !reflect.DeepEqual(before, v) {
			r.Errorf("a comparison was written as %+v and as %+v", before, v)
		}
		found[key] = v
	}
	return found
}

func (r *rig) produceBlocks(blocks ...event.Evaluation) {
	r.Helper()
	var records []stream.Record
	for i := range blocks {
		records = append(records, stream.Record{Key: []byte("click"), Value: blocks[i].AppendJSON(nil)})
	}
	r.produce(event.TopicEvaluations, records...)
}

func TestComparisonsAreOnTheTopicAndServedWhoeverRunsAndRestarts(t *testing.T) {
	r := newRig(t)
	r.objective = threeNetworks()
	mux, stop := r.join()
	_, stopOther := r.join()
	var blocks []event.Evaluation
	for n := range int64(120) {
		more := []event.Evaluation{blockOf("", n, 1), blockOf("plain", n, 1.02), blockOf("wide", n, 1)}
		blocks = append(blocks, more...)
		r.produceBlocks(more...)
		if n == 40 || n == 80 { // one of the two goes and comes again: who writes changes
			stop()
			mux, stop = r.join()
			stop, stopOther = stopOther, stop
		}
	}
	want := compareAll(r.objective, blocks...)
	r.await("the verdict", func() bool {
		for _, v := range r.comparisons() {
			if v.Versus == "plain" && v.Network == "" && v.Better == "network" {
				return true
			}
		}
		return false
	})
	// each that was written is what the blocks up to there give
	for _, v := range r.comparisons() {
		var until []event.Evaluation
		for _, b := range blocks {
			if b.Offsets[1] <= v.Offsets[1] {
				until = append(until, b)
			}
		}
		i := slices.IndexFunc(want, func(w event.Evaluation) bool { return w.Network == v.Network && w.Versus == v.Versus })
		if w := compareAll(r.objective, until...)[i]; string(w.AppendJSON(nil)) != string(v.AppendJSON(nil)) {
			t.Errorf("written is %s, want %s", v.AppendJSON(nil), w.AppendJSON(nil))
		}
	}
	if n := len(r.comparisons()); n > 3*(1+20+40) {
		t.Errorf("%d comparisons were written for 120 blocks", n)
	}
	r.await("the last block", func() bool { return networksAnswer(t, mux, "", 200) == string(lines(want)) })
	if got, err := CompareNetworks(t.Context(), r.client, r.objective); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("from the topic: %+v, %v, want %+v", got, err, want)
	}
	networksAnswer(t, mux, "?objective=conversion", 404)
	networksAnswer(t, mux, "?network=plain", 400)
	// a process that starts writes nothing again
	stop()
	stopOther()
	before := len(r.comparisons())
	mux, _ = r.join()
	r.await("the last block", func() bool { return networksAnswer(t, mux, "", 200) == string(lines(want)) })
	if after := len(r.comparisons()); after != before {
		t.Errorf("%d comparisons after a restart, %d before", after, before)
	}
}

// networksAnswer asks over HTTP.
func networksAnswer(t *testing.T, mux *http.ServeMux, query string, want int) string {
	t.Helper()
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/networks"+query, nil))
	for line := range strings.Lines(w.Body.String()) {
		if w.Code != want || !json.Valid([]byte(line)) {
			t.Errorf("%s: %d %s, want %d", query, w.Code, line, want)
		}
	}
	return w.Body.String()
}

// A network that is learned anew writes many blocks in a short time. The evaluator still finds the
// windows that it has written.
func TestBlocksDoNotHideTheWindowsThatAreWritten(t *testing.T) {
	r := newRig(t)
	f, _, stop := r.start()
	for row := range int64(200) {
		r.produce(event.TopicExamples("click"), example(row, 0, 0.2, nil))
	}
	r.await("three minutes", func() bool { return len(r.evaluations("1m")) == 9 })
	stop()
	before := len(r.evaluations("1m"))
	r.produceBlocks(blocksBetween("", 0, 350, 1)...)
	written, err := f.evaluators[0].written(t.Context(), 100)
	if err != nil || written["1m"] != t0+2*minute {
		t.Errorf("the newest minute that is written is %v, %v, want %v", written["1m"], err, t0+2*minute)
	}
	r.join()
	r.produce(event.TopicExamples("click"), example(250, 0, 0.2, nil))
	r.await("the fourth minute", func() bool { return len(r.evaluations("1m")) > before }) // one that is written twice fails
}

func TestAnObjectiveWithOneNetworkHasNothingToCompare(t *testing.T) {
	r := newRig(t)
	_, mux, _ := r.start()
	if got := networksAnswer(t, mux, "", 404); !strings.Contains(got, "has one network") {
		t.Errorf("the answer is %s", got)
	}
}
