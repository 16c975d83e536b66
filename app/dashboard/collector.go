package dashboard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// collector reads what one state after the other needs. It serves one goroutine, and keeps its
// connections while somebody watches.
type collector struct {
	d       *Dashboard
	survey  *stream.Survey
	readers map[place]*stream.Reader
	state   State

	at        time.Time                 // of the state under way
	ranges    map[string][]stream.Range // of this state
	before    map[string][]stream.Range // of the state before
	pace      map[string]*pace          // by topic
	newest    map[string]newest         // by topic
	lags      map[place]*lag            // by group and partition
	malformed map[string]int64          // by topic
	problems  []string
	again     bool               // a part failed: the next state reads what has not changed, too
	versions  map[string]version // of weights, by NetworkKey

	letters   *letters
	examples  map[string]*judgements // by objective
	drifts    map[string]*drift      // by objective
	latencies *latencies
	bidding   *bidding
}

// place is a partition of a topic, for a group where one is named.
type place struct {
	group, topic string
	partition    int
}

// newest is the last record of a topic that was seen.
type newest struct {
	produced  time.Time
	eventTime event.Time
}

func newCollector(d *Dashboard) *collector {
	c := &collector{
		d: d, survey: d.d.Client.NewSurvey(), readers: map[place]*stream.Reader{},
		pace: map[string]*pace{}, newest: map[string]newest{}, lags: map[place]*lag{}, malformed: map[string]int64{},
		letters: newLetters(), examples: map[string]*judgements{}, drifts: map[string]*drift{}, latencies: newLatencies(d.d.Gatherer), bidding: newBidding(),
	}
	c.state.Content = Content{
		Started: event.TimeOf(d.started), Version: d.d.Version, Clock: "wall",
		Topics: []TopicInfo{}, Consumers: []ConsumerInfo{}, Models: []ModelInfo{}, Latency: []LatencyInfo{}, Guards: []GuardInfo{},
		DeadLetters: DeadLetterInfo{Reasons: []ReasonInfo{}}, Predictions: []PredictionInfo{}, Judged: []JudgedInfo{}, Drift: []DriftInfo{},
	}
	for _, o := range d.d.Objectives {
		c.state.Objectives = append(c.state.Objectives, ObjectiveInfo{
			Name: o.Name, Trigger: o.Trigger, Positive: o.Positive, WindowMs: o.Window.Milliseconds(), Networks: o.NetworkNames(), Serve: o.ServedNetwork(),
		})
		c.examples[o.Name], c.drifts[o.Name] = &judgements{}, newDrift(o.Name)
	}
	return c
}

// close ends the connections.
func (c *collector) close() {
	_ = c.survey.Close() // connections that are read from lose nothing
	for _, r := range c.readers {
		_ = r.Close()
	}
}

// collect makes c.state anew. What cannot be read stays as it was, and is told as a problem.
func (c *collector) collect(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, perTurn)
	defer cancel()
	c.at, c.problems = now, []string{}
	c.state.Now = now
	if c.askOffsets(ctx) {
		failed := false
		for _, part := range []struct {
			what string
			do   func(context.Context) error
		}{
			{"the newest records", c.readNewest}, {"predictions", c.readPredictions}, {"examples", c.readExamples},
			{"evaluations", c.readEvaluations}, {"dead letters", c.readLetters}, {"consumer groups", c.readGroups},
			{"the topic bids", c.readBidding}, {"drift", c.readDrift},
		} {
			if err := part.do(ctx); err != nil {
				failed = true
				c.problem("cannot read "+part.what, err)
			}
		}
		c.again = failed
		if c.state.Clock = "wall"; c.recorded() {
			c.state.Clock = "recorded"
		}
		c.describeTopics()
		c.describeModels()
		c.state.Read = event.TimeOf(now)
	}
	if err := c.latencies.update(now, &c.state); err != nil {
		c.problem("cannot read this process's latencies", err)
	}
	c.describeHistory()
	c.state.Malformed = nil
	for topic, n := range c.malformed {
		if c.state.Malformed == nil {
			c.state.Malformed = map[string]int64{}
		}
		c.state.Malformed[topic] = n
		c.problems = append(c.problems, fmt.Sprintf("%d records of %s cannot be read and are passed over: another producer wrote them", n, topic))
	}
	slices.Sort(c.problems)
	c.state.Problems = c.problems
}

// farBehind is how long before it was written an event of a replay was received, at least.
const farBehind = time.Hour

// recorded tells whether the loop takes recorded times.
func (c *collector) recorded() bool {
	if c.d.d.Recorded != nil {
		return c.d.d.Recorded()
	}
	n := c.newest[event.TopicEvents]
	return n.eventTime != 0 && event.TimeOf(n.produced).Sub(n.eventTime) > farBehind
}

// problem adds a line. Errors of one cause say the same, and are told once.
func (c *collector) problem(what string, err error) {
	var access *stream.AccessError
	text := what + ": " + err.Error()
	switch {
	case errors.As(err, &access):
		text = what + ": " + access.Error()
	case errors.Is(err, context.DeadlineExceeded):
		text = what + ": Kafka did not answer in time"
	}
	if !slices.Contains(c.problems, text) {
		c.problems = append(c.problems, text)
	}
}

// askOffsets asks how far all topics are. It returns false when no broker answers.
func (c *collector) askOffsets(ctx context.Context) bool {
	names := make([]string, len(c.d.d.Topics))
	for i, t := range c.d.d.Topics {
		names[i] = t.Name
	}
	found, err := c.survey.Ranges(ctx, names...)
	if found == nil {
		c.problem("Kafka is away, and this is the state of before", err)
		return false
	}
	if err != nil {
		c.problem("some topics cannot be read", err)
	}
	c.before, c.ranges = c.ranges, found
	var missing []string
	for _, name := range names {
		ranges, ok := found[name]
		if !ok {
			missing = append(missing, name)
			continue
		}
		if c.pace[name] == nil {
			c.pace[name] = &pace{}
		}
		c.pace[name].add(c.at, ranges)
	}
	if len(missing) > 0 && err == nil {
		c.problems = append(c.problems, "these topics do not exist yet: "+strings.Join(missing, ", "))
	}
	return true
}

// grown tells whether a partition has records that the state before did not know.
func (c *collector) grown(topic string, partition int) bool {
	old := c.before[topic]
	return c.again || partition >= len(old) || old[partition].End != c.ranges[topic][partition].End
}

// changed tells whether any partition of a topic has grown.
func (c *collector) changed(topic string) bool {
	for p := range c.ranges[topic] {
		if c.grown(topic, p) {
			return true
		}
	}
	return false
}

// tail calls fn for the last n records of a partition, in order. Where there are markers of
// transactions they are fewer.
func (c *collector) tail(ctx context.Context, topic string, partition int, n int64, fn func(*stream.Record)) error {
	rg := c.ranges[topic][partition]
	return c.span(ctx, topic, partition, max(rg.First, rg.End-n), rg.End, fn)
}

// fetchBytes bounds one request for records. The first batch comes whole, however large it is.
const fetchBytes = 256 << 10

// span calls fn for the records from <= offset < to of a partition, over one connection that stays.
func (c *collector) span(ctx context.Context, topic string, partition int, from, to int64, fn func(*stream.Record)) error {
	if from >= to {
		return nil
	}
	return c.readTo(ctx, c.reader(place{topic: topic, partition: partition}, fetchBytes), from, to, fn)
}

// readTo calls fn for the records from <= offset < to of a reader's partition.
func (c *collector) readTo(ctx context.Context, r *stream.Reader, from, to int64, fn func(*stream.Record)) error {
	r.MoveTo(from)
	for r.Offset() < to {
		records, err := r.Next(ctx)
		switch {
		case errors.Is(err, stream.ErrTrimmed):
			continue
		case errors.Is(err, stream.ErrBeyond): // the topic was created again meanwhile
			return nil
		case err != nil:
			return err
		}
		c.d.metrics.records.Add(float64(len(records)))
		for i := range records {
			if records[i].Offset < to {
				fn(&records[i])
			}
		}
	}
	return nil
}

// reader returns the reader of a partition. Readers that fetch more or less have a group of their
// own in at.
func (c *collector) reader(at place, bytes int) *stream.Reader {
	r := c.readers[at]
	if r == nil {
		r = c.d.d.Client.NewReader(at.topic, at.partition, 0).Fetch(bytes)
		c.readers[at] = r
	}
	return r
}

// skip counts a record that cannot be read.
func (c *collector) skip(topic string) {
	c.malformed[topic]++
	c.d.metrics.malformed.WithLabelValues(topic).Inc()
}
