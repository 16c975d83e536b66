package report

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// Equal spans are called different in at most one report of twenty, all figures together.
func TestReportsOfEqualSpansSeldomFindADifference(t *testing.T) {
	const reports, examples = 200, 1500
	wrong := map[string]int{}
	some := 0
	for seed := range uint64(reports) {
		c := spans(seed, examples, 1)
		found := false
		for i := range c.list {
			if c.list[i].more {
				found = true
				wrong[c.list[i].key]++
			}
		}
		some += b2i(found)
	}
	if some > reports/10 { // 5% are expected; more than 10% have the odds of 1 in 500
		t.Errorf("%d of %d reports find a difference where there is none: %v", some, reports, wrong)
	}
}

// Bins of calibrated scores are seldom called off, also where they have few positives.
func TestCalibratedBinsAreSeldomCalledOff(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for _, n := range []int{14, 200, 3000} {
		for _, p := range []float64{0.002, 0.02, 0.3, 0.97} {
			const reports, bins = 1000, 15
			off := 0
			for range reports {
				some := false
				for range bins {
					b := event.CalibrationBin{Weight: float64(n), Predicted: float64(n) * p}
					if n > 500 { // a normal variable is near enough
						b.Actual = max(0, math.Round(float64(n)*p+math.Sqrt(float64(n)*p*(1-p))*rng.NormFloat64()))
					} else {
						for range n {
							b.Actual += float64(b2i(rng.Float64() < p))
						}
					}
					some = some || binOff(b, bins) != 0
				}
				off += b2i(some)
			}
			if off > reports*7/100 {
				t.Errorf("bins of %d with the rate %v are called off in %d of %d reports", n, p, off, reports)
			}
		}
	}
	if binOff(event.CalibrationBin{Weight: 3000, Predicted: 60, Actual: 20}, 15) != 1 || binOff(event.CalibrationBin{Weight: 3000, Predicted: 2800, Actual: 2950}, 15) != -1 {
		t.Error("bins that are off are not found")
	}
}

// Half as many positives as before are found.
func TestReportsFindALargeDifference(t *testing.T) {
	for seed := range uint64(10) {
		c := spans(seed, 3000, 0.5)
		found := map[string]bool{}
		for i := range c.list {
			found[c.list[i].key] = c.list[i].more
		}
		if !found["rate"] || !found["predicted_over_actual"] {
			t.Errorf("seed %d: %v", seed, found)
		}
	}
}

// spans compares n examples with as many before them. The odds of a positive change by a factor.
func spans(seed uint64, n int, factor float64) *changes {
	p := newPeriod(10_000_000, 20_000_000)
	q := newQuality(p, clicks)
	rng := rand.New(rand.NewPCG(seed, 9))
	for i := range 2 * n {
		x := event.Example{Objective: "click", Prediction: fmt.Sprint(seed, ".", i), Time: event.Time(i) * 10_000_000 / event.Time(n), W: 1, Model: "click@1", P: 1 / (1 + math.Exp(2-rng.NormFloat64())),
			Source: event.Source{Offset: int64(i)}}
		rate := x.P
		if i >= n {
			rate *= factor
		}
		x.Y = float64(b2i(rng.Float64() < rate))
		q.add(&stream.Record{Value: x.AppendJSON(nil)})
	}
	d := newData(p, nil)
	d.objectives = []*quality{q}
	return d.compare()
}

// Values, features and reasons beyond the bounds count together and are told.
func TestWhatHasNoRoomIsCountedTogether(t *testing.T) {
	p := newPeriod(10_000_000, 20_000_000)
	text := func(name, s string) event.Field {
		return event.Field{Name: name, Value: event.Value{Kind: event.String, Str: s}}
	}
	f := newFeatures()
	for i := range 5000 {
		f.add(event.Fields{text("id", fmt.Sprint(i)), text(fmt.Sprint("f", i), "x")}, firstHalf)
	}
	id := f.names["id"]
	if len(id.texts) != maxTexts || id.other[firstHalf] != 5000-maxTexts || len(f.names) != maxFeatures || len(f.leftOut) != maxFeatures {
		t.Errorf("%d texts, %d others; %d features, %d left out", len(id.texts), id.other[firstHalf], len(f.names), len(f.leftOut))
	}

	s := newSegments()
	for i := range 3000 {
		x := event.Example{W: 1, Segment: event.Fields{text("campaign", fmt.Sprint(i))}, Features: event.Fields{text("cookie", fmt.Sprint(i))}}
		s.add(&x, secondHalf)
	}
	if n := len(s.all()); n != maxSegments || s.leftOut != 3000-maxSegments || !s.names["cookie"].many {
		t.Errorf("%d segments, %d examples left out, cookie: %+v", n, s.leftOut, s.names["cookie"])
	}

	l := newLetters(p)
	for i := range 700 {
		d := event.DeadLetter{Stage: "ingest", Reason: fmt.Sprint("reason ", i, strings.Repeat("é", 200)), Time: 11_000_000}
		if _, err := l.add(&stream.Record{Value: d.AppendJSON(nil)}); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.reasons) != maxReasons || l.other[firstHalf] != 700-maxReasons || l.total(firstHalf) != 700 || len(l.table().Rows) != maxReasons+1 {
		t.Errorf("%d reasons, %d others, %d in all", len(l.reasons), l.other[firstHalf], l.total(firstHalf))
	}

	b := newBids(p, 1)
	for i := range 3000 {
		step := event.BidStep{Step: event.StepBid, Bid: fmt.Sprint(i), Campaign: fmt.Sprint("c", i), Time: 11_000_000, Epoch: 1, Seq: int64(i + 1)}
		if _, err := b.add(&stream.Record{Value: step.AppendJSON(nil)}); err != nil {
			t.Fatal(err)
		}
	}
	if others := b.campaigns[otherCampaigns]; len(b.campaigns) != maxCampaigns+1 || others.now.bids != 3000-maxCampaigns {
		t.Errorf("%d campaigns, others: %+v", len(b.campaigns), others)
	}

	j := newJudgements(p)
	for i := range 1000 {
		v := event.Evaluation{Objective: "click", Window: windowGuard, Start: 11_000_000, End: event.Time(11_000_000 + i), Alarm: "too low"}
		if _, err := j.add(&stream.Record{Value: v.AppendJSON(nil)}); err != nil {
			t.Fatal(err)
		}
	}
	if shown := j.shown(); len(shown) != maxAlarms || shown[0].end != 11_000_999 || j.raised != 1000 || len(j.alarms) > 2*maxAlarms {
		t.Errorf("%d alarms are shown of %d, %d kept", len(shown), j.raised, len(j.alarms))
	}
}

// A page stays small, whatever the topics hold.
func TestAPageIsBounded(t *testing.T) {
	p := newPeriod(10_000_000, 20_000_000)
	d := newData(p, []event.Objective{clicks})
	long := strings.Repeat("<x>", 60)
	for i := range 20_000 {
		when := event.Time(10_000_000 + 500*i)
		name := fmt.Sprint(long, i)
		fields := event.Fields{{Name: "f" + name, Value: event.Value{Kind: event.Number, Num: 1}}, {Name: "s", Value: event.Value{Kind: event.String, Str: fmt.Sprint(long, i%40)}}}
		prediction := event.Prediction{ID: name, Time: when, Features: fields, P: []event.ObjectiveP{{Objective: "click", P: 0.5}}}
		x := event.Example{Objective: "click", Prediction: name, Time: when, W: 1, P: 0.5, Y: float64(i % 2), Features: fields, Segment: event.Fields{{Name: "ad", Value: event.Value{Kind: event.String, Str: name}}}, Source: event.Source{Offset: int64(i)}}
		letter := event.DeadLetter{Stage: "ingest", Reason: name, Time: when}
		bid := event.BidStep{Step: event.StepBid, Bid: name, Campaign: name, Time: when, Epoch: 1, Seq: int64(i + 1)}
		alarm := event.Evaluation{Objective: "click", Window: windowGuard, Start: when, End: when, Alarm: name}
		pair := event.Evaluation{Objective: "click", Window: windowNetworks, Start: when, End: when, Network: name, Versus: "b"}
		d.objectives[0].add(&stream.Record{Value: x.AppendJSON(nil)})
		for _, err := range []error{
			second(d.predictions.add(&stream.Record{Value: prediction.AppendJSON(nil)})), second(d.letters.add(&stream.Record{Value: letter.AppendJSON(nil)})),
			second(d.bids.add(&stream.Record{Value: bid.AppendJSON(nil)})), second(d.judgements.add(&stream.Record{Value: alarm.AppendJSON(nil)})),
			second(d.judgements.add(&stream.Record{Value: pair.AppendJSON(nil)})),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	src := &source{client: newWorld(t, 10).client, ranges: map[string][]stream.Range{event.TopicDeadLetter: {{}}, event.TopicEvaluations: {{}}}}
	var page bytes.Buffer
	r := d.report(Config{}, src)
	if err := r.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	if page.Len() > 2<<20 || !strings.Contains(page.String(), "further rows are in campaigns.csv") {
		t.Errorf("the page has %d bytes", page.Len())
	}
	for _, table := range r.Tables() {
		if len(table.Shown()) > maxRows || len(table.Rows) > maxCampaigns+2 {
			t.Errorf("table %s has %d rows, and shows %d", table.ID, len(table.Rows), len(table.Shown()))
		}
	}
}

func second(_ event.Time, err error) error { return err }

// A fair coin has no drift, another one has; so has a number that grows.
func TestDriftIsMoreThanChance(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	found := 0
	const runs = 100
	for range runs {
		f := newFeatures()
		for i := range 4000 {
			at := side(i / 2000)
			coin := []string{"heads", "tails"}
			field := func(name string, v event.Value) event.Field { return event.Field{Name: name, Value: v} }
			f.add(event.Fields{
				field("fair", event.Value{Kind: event.String, Str: coin[rng.IntN(2)]}),
				field("normal", event.Value{Kind: event.Number, Num: rng.NormFloat64()}),
				field("bent", event.Value{Kind: event.String, Str: coin[b2i(rng.Float64() < 0.5+0.3*float64(at))]}),
				field("grows", event.Value{Kind: event.Number, Num: rng.NormFloat64() + float64(at)}),
			}, at)
		}
		for _, d := range f.compare([]side{before}, []side{firstHalf}) {
			same := d.name == "fair" || d.name == "normal"
			found += b2i(d.more && same)
			if !same && (!d.more || d.index < someDrift) {
				t.Errorf("%s: %+v", d.name, d)
			}
		}
	}
	if found > runs/10 {
		t.Errorf("drift is found %d times in %d runs without", found, runs)
	}
}

// Numbers keep their order in bins.
func TestBinsOfNumbersRise(t *testing.T) {
	last := int32(math.MinInt32)
	for _, v := range []float64{math.Inf(-1), -1e300, -2, -1.5, -1, -1e-300, 0, 1e-300, 0.5, 1, 2, 3, 4, 15, 16, 1e300, math.Inf(1)} {
		if math.IsInf(v, 0) {
			continue
		}
		if b := numberBin(v); b <= last {
			t.Errorf("%v is in bin %d, behind %d", v, b, last)
		} else {
			last = b
		}
	}
}

// Records that were produced before both spans are not read, and change nothing. Times that are
// ahead of the clock make it read all.
func TestOldRecordsArePassedOver(t *testing.T) {
	w := newWorld(t, 7)
	now := event.TimeOf(time.Now())
	var records []stream.Record
	for i := range 4000 {
		p := w.prediction(i, now-event.Time(4000-i)*60_000, true)
		records = append(records, stream.Record{Value: p.AppendJSON(nil), Time: p.Time.Std()})
	}
	w.produce(event.TopicPredictions, records...)
	count := func(from string) (read, told int64) {
		t.Helper()
		cfg := Config{Objectives: []event.Objective{clicks}, From: from, Progress: func(topic string, n, _ int64) {
			if topic == event.TopicPredictions {
				read = n
			}
		}}
		r, err := Make(t.Context(), w.client, cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range find(t, r, "predictions_over_time") {
			told += int64(float(t, row["predictions"]))
		}
		return read, told
	}
	if read, told := count("2h"); told < 119 || told > 121 || read > 310 {
		t.Errorf("of two hours: %d read, %d told", read, told)
	}
	if read, told := count(beginning); read != 4000 || told != 4000 {
		t.Errorf("of all: %d read, %d told", read, told)
	}
	ahead := w.prediction(1, now+48*3_600_000, true)
	w.produce(event.TopicPredictions, record(ahead.AppendJSON(nil)))
	if read, told := count("2h"); read != 4001 || told != 1 {
		t.Errorf("with times ahead of the clock: %d read, %d told", read, told)
	}
}

func TestDataThatCoversAPartIsTold(t *testing.T) {
	p := newPeriod(3_600_000*24, 3_600_000*48)
	f := func(oldest, newest event.Time, want ...string) {
		t.Helper()
		got := (&source{within: p, oldest: oldest, newest: newest}).coverage()
		if len(got) != len(want) {
			t.Errorf("from %s to %s: %q", oldest, newest, got)
			return
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("from %s to %s: %q, want %q", oldest, newest, got[i], want[i])
			}
		}
	}
	f(1, p.to)
	f(p.from, p.to)
	f(p.from-2*p.width, p.to, "within the span before")
	f(p.from+2*p.width, p.to-2*p.width, "within the period", "ends at 1970-01-02 22:00")
}

func TestGapsOfRetentionAreTold(t *testing.T) {
	w := newWorld(t, 8)
	p := newPeriod(10_000_000, 20_000_000)
	s := &source{client: w.client, topics: []string{"predictions", "bids"}, ranges: map[string][]stream.Range{"predictions": {{First: 5, End: 9}}, "bids": {{First: 0, End: 3}}},
		earliest: map[string]event.Time{"predictions": 12_000_000, "bids": 12_000_000}}
	gaps := s.gaps(p)
	if len(gaps) != 1 || !strings.Contains(gaps[0], "predictions held before 1970-01-01 03:20") {
		t.Errorf("%q", gaps)
	}
}

// Whatever the period, there is a page without a number that is none.
func TestEveryPeriodHasAPage(t *testing.T) {
	w := newWorld(t, 9)
	w.fill(300)
	for range 60 {
		from := w.start + event.Time(w.rng.Int64N(int64(2*w.length)))
		to := from + 1 + event.Time(w.rng.Int64N(1<<w.rng.IntN(40)))
		r, err := Make(t.Context(), w.client, Config{Objectives: []event.Objective{clicks}, From: from.String(), To: to.String()})
		if err != nil {
			t.Fatalf("%s to %s: %v", from, to, err)
		}
		var page bytes.Buffer
		if err := r.WriteHTML(&page); err != nil {
			t.Fatalf("%s to %s: %v", from, to, err)
		}
		for _, bad := range []string{"NaN", "Inf", "ZgotmplZ", "%!"} {
			if at := strings.Index(page.String(), bad); at >= 0 {
				t.Fatalf("%s to %s: the page has %s in %q", from, to, bad, page.String()[max(at-80, 0):min(at+40, page.Len())])
			}
		}
	}
}
