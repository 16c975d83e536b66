package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// world is made-up topics of a loop that bids, with all that can be wrong with them.
type world struct {
	t      *testing.T
	client *stream.Client
	rng    *rand.Rand
	start  event.Time // of the span before the period
	length event.Time // of each of both

	examples    []event.Example
	predictions []event.Prediction
	steps       []event.BidStep
}

var clicks = event.Objective{Name: "click", Trigger: event.TypeImpression, Positive: event.TypeClick, Window: 2 * time.Minute, Segments: []string{"campaign"}}

const nasty = `</style><script>alert(1)</script>=cmd|' /C calc'!A0 "'&\u202e`

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	by, login := backend.Secured(backend.Kafka(t))
	client, err := stream.Dial(stream.Config{Brokers: backend.Kafka(t), Prefix: backend.Prefix(t), TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	w := &world{t: t, client: client, rng: rand.New(rand.NewPCG(seed, 1)), start: at("2026-11-24T00:00:00Z"), length: 6 * 3_600_000}
	topics := event.Topics([]event.Objective{clicks}, 3)
	for _, topic := range append(topics, event.BiddingTopics()[0]) {
		if topic.Name == event.TopicEvents {
			continue
		}
		if err := client.EnsureTopics(t.Context(), stream.Topic(topic)); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) period() (from, to string) {
	return (w.start + w.length).String(), (w.start + 2*w.length).String()
}

func (w *world) produce(topic string, records ...stream.Record) {
	w.t.Helper()
	if err := w.client.Produce(w.t.Context(), topic, records); err != nil {
		w.t.Fatal(err)
	}
}

// fill writes n predictions of either span, the examples of most of them, and their bids. In the
// second span fewer clicks come than are predicted, and the feature device is missing.
func (w *world) fill(n int) {
	offsets := map[int]int64{}
	var records []stream.Record
	for i := range 2 * n {
		when := w.start + event.Time(i)*w.length/event.Time(n)
		p := w.prediction(i, when, i >= n)
		records = append(records, stream.Record{Partition: i % 3, Key: []byte(p.ID), Value: p.AppendJSON(nil)})
		w.predictions = append(w.predictions, p)
		source := event.Source{Topic: "0123abcd", Partition: int32(i % 3), Offset: offsets[i%3]}
		offsets[i%3]++
		won := w.rng.Float64() < 0.6
		w.bid(i, &p, won)
		if !won {
			continue
		}
		x := event.Example{Objective: "click", Prediction: p.ID, Time: when, P: p.P[0].P, W: 1 + float64(i%2), Model: "click@7", Features: p.Features, Source: source,
			Segment: event.Fields{{Name: "campaign", Value: event.Value{Kind: event.String, Str: p.Campaign}}}}
		rate := x.P
		if i >= n {
			rate /= 2
		}
		if w.rng.Float64() < rate {
			x.Y = 1
		}
		w.examples = append(w.examples, x)
	}
	w.produce(event.TopicPredictions, append(records, stream.Record{Value: []byte("no prediction")})...)
	records = nil
	for i := range w.examples {
		records = append(records, stream.Record{Value: w.examples[i].AppendJSON(nil)})
		if i%10 == 0 { // a repeat
			records = append(records, records[len(records)-1])
		}
	}
	revised := w.examples[len(w.examples)-1]
	revised.Revision, revised.Y = true, 1
	records = append(records, stream.Record{Value: revised.AppendJSON(nil)}, stream.Record{Value: []byte(`{"no":"example"}`)})
	w.produce(event.TopicExamples("click"), records...)
	records = []stream.Record{{Value: []byte("{}")}}
	for i := range w.steps {
		records = append(records, stream.Record{Value: w.steps[i].AppendJSON(nil)})
	}
	w.produce(event.TopicBids, records...)
	w.others()
}

// others writes dead letters and evaluations.
func (w *world) others() {
	inside, outside := w.start+w.length+5000, w.start+3*w.length
	letter := func(reason string, t event.Time) stream.Record {
		d := event.DeadLetter{Stage: "ingest", Reason: reason, Topic: "events", Time: t, Payload: []byte("{}")}
		return stream.Record{Value: d.AppendJSON(nil)}
	}
	w.produce(event.TopicDeadLetter, letter(nasty, inside), letter(nasty, inside), letter("old", w.start), letter("later", outside))
	difference := 0.01
	alarm := event.Evaluation{Objective: "click", Window: "guard", Start: inside, End: inside, Alarm: "predicted over actual is 2, outside 0.5 to 1.5"}
	pair := event.Evaluation{Objective: "click", Window: "networks", Start: w.start, End: inside, Network: "default", Versus: "plain", Examples: 900, Difference: &difference, DifferenceInterval: &event.Interval{0.002, 0.018}, Better: "network"}
	older := pair
	older.End, older.Better = inside-1000, ""
	weight, loss := 500.0, 100.0
	first := event.Evaluation{Objective: "click", Window: "block", Start: w.start, End: inside, Network: "plain", Examples: 500, Offsets: &[2]int64{500, 1000}, Weight: &weight, LogLossSum: &loss}
	second := first
	second.Offsets = &[2]int64{1000, 1500}
	before := first
	before.Offsets, before.End = &[2]int64{0, 500}, w.start+1
	var records []stream.Record
	for _, v := range []*event.Evaluation{&alarm, &pair, &older, &before, &first, &second, &first, &second} {
		records = append(records, stream.Record{Value: v.AppendJSON(nil)})
	}
	w.produce(event.TopicEvaluations, records...)
}

func (w *world) prediction(i int, when event.Time, late bool) event.Prediction {
	p := event.Prediction{ID: fmt.Sprintf("r%d.0", i), Request: fmt.Sprintf("r%d", i), Time: when, Ad: "a1", Campaign: []string{"c1", "c2", nasty}[i%3],
		P: []event.ObjectiveP{{Objective: "click", P: 1 / (1 + math.Exp(1.5-w.rng.NormFloat64()))}}, Model: []event.ObjectiveVersion{{Objective: "click", Version: "click@7"}},
		AgeMs: []event.Age{{Name: "model", Ms: int64(w.rng.IntN(5000))}, {Name: "user", Ms: 40}}}
	p.Features = event.Fields{
		{Name: "hour", Value: event.Value{Kind: event.Number, Num: float64(w.rng.IntN(24))}},
		{Name: "site", Value: event.Value{Kind: event.String, Str: fmt.Sprint("s", w.rng.IntN(5))}},
		{Name: "cookie", Value: event.Value{Kind: event.String, Str: fmt.Sprint("u", w.rng.IntN(1<<30))}},
	}
	if !late {
		p.Features = append(p.Features, event.Field{Name: "device", Value: event.Value{Kind: event.String, Str: "phone"}})
	}
	return p
}

// bid writes the steps of a bid, in an order that a ledger may leave on the topic.
func (w *world) bid(i int, p *event.Prediction, won bool) {
	seq := int64(10 * (i + 1))
	price := int64(1000 + w.rng.IntN(3000))
	step := func(kind string, at event.Time, seq, reserved, spent int64) event.BidStep {
		return event.BidStep{Step: kind, Bid: p.ID, Campaign: p.Campaign, Bidder: "b1", Time: at, Epoch: 2, Seq: seq, Reserved: reserved, Spent: spent, Day: "2026-11-24"}
	}
	b := step(event.StepBid, p.Time, seq, price, 0)
	b.Price, b.Value = price, 2*price
	var steps []event.BidStep
	if !won {
		steps = append(steps, b, step(event.StepLoss, p.Time+500, seq+1, -price, 0))
	} else {
		steps = append(steps, b, step(event.StepWin, p.Time+500, seq+1, 0, 0), step(event.StepBill, p.Time+900, seq+2, -price, price))
	}
	if i%7 == 0 { // the end stands before the begin
		steps[0], steps[len(steps)-1] = steps[len(steps)-1], steps[0]
	}
	if i%5 == 0 { // a step that is written again
		steps = append(steps, steps[len(steps)-1])
	}
	if i%11 == 0 { // one of an epoch that is over
		void := steps[len(steps)-1]
		void.Epoch, void.Spent = 1, 1_000_000
		steps = append(steps, void)
	}
	w.steps = append(w.steps, steps...)
}

func record(value []byte) stream.Record { return stream.Record{Value: value} }
