package run

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/stream"
)

// Summary is the result of a replay, counted from the topics. A repeated record counts once, and
// records of other sources do not count.
type Summary struct {
	Objective           string   `json:"objective"`
	Requests            int64    `json:"requests"`
	Predictions         int64    `json:"predictions"`
	Events              int64    `json:"events"`
	Examples            int64    `json:"examples"`
	DeadLetters         int64    `json:"deadletters"`
	Positives           int64    `json:"positives"`
	LogLoss             *float64 `json:"log_loss"`
	NormalizedEntropy   *float64 `json:"normalized_entropy"`
	AUC                 *float64 `json:"auc"`
	PredictedOverActual *float64 `json:"predicted_over_actual"`
	ECE                 *float64 `json:"ece"`
	Brier               *float64 `json:"brier"`
	AveragePrecision    *float64 `json:"average_precision"`
	Lift                *float64 `json:"lift"`
	// intervals with a confidence of 95%
	LogLossInterval             *event.Interval `json:"log_loss_interval,omitempty"`
	NormalizedEntropyInterval   *event.Interval `json:"normalized_entropy_interval,omitempty"`
	AUCInterval                 *event.Interval `json:"auc_interval,omitempty"`
	PredictedOverActualInterval *event.Interval `json:"predicted_over_actual_interval,omitempty"`
	// mean number of earlier examples that the weights of a prediction had not learned yet
	Behind  *float64 `json:"behind"`
	Model   string   `json:"model"`
	Weights string   `json:"weights"`
	Seconds float64  `json:"seconds"`
	// without requests that were played before an interruption
	RequestsPerSecond float64 `json:"requests_per_second"`
}

// Summarize reads the topics to their present ends. All ids of a recording begin with its name.
func Summarize(ctx context.Context, client *stream.Client, name string, o event.Objective) (*Summary, error) {
	s := &Summary{Objective: o.Name}
	prefix, seed := name+"-", maphash.MakeSeed()
	// distinct counts the ids of this recording; id returns "" for a record that has none
	distinct := func(topic string, n *int64, id func(*stream.Record) string) error {
		seen := map[uint64]struct{}{}
		return readAll(ctx, client, topic, func(r *stream.Record) error {
			if id := id(r); strings.HasPrefix(id, prefix) {
				seen[maphash.String(seed, id)] = struct{}{}
			}
			*n = int64(len(seen))
			return nil
		})
	}
	err := distinct(event.TopicPredictions, &s.Predictions, func(r *stream.Record) string { return string(r.Key) })
	if err != nil {
		return nil, err
	}
	var e event.Event
	err = distinct(event.TopicEvents, &s.Events, func(r *stream.Record) string {
		if e.UnmarshalJSON(r.Value) != nil || e.Type == event.TypeHeartbeat {
			return ""
		}
		return e.ID
	})
	if err != nil {
		return nil, err
	}
	err = readAll(ctx, client, event.TopicDeadLetter, func(*stream.Record) error { s.DeadLetters++; return nil })
	if err != nil {
		return nil, err
	}
	return s, s.addExamples(ctx, client, prefix, o)
}

// addExamples evaluates the predictions whose examples are on the topic.
func (s *Summary) addExamples(ctx context.Context, client *stream.Client, prefix string, o event.Objective) error {
	var (
		highWater event.HighWater
		measure   = objective.KindOf(o).Measure()
		x         event.Example

		count, behind int64
	)
	err := readAll(ctx, client, event.TopicExamples(o.Name), func(r *stream.Record) error {
		if err := x.UnmarshalJSON(r.Value); err != nil {
			return fmt.Errorf("example at offset %d: %w", r.Offset, err)
		}
		if x.Revision || !highWater.Fresh(x.Source, false) || !strings.HasPrefix(x.Prediction, prefix) {
			return nil
		}
		point := objective.PointOf(&x)
		measure.Add(&point)
		learned := int64(0) // without weights there is no version
		if _, n, err := event.ParseModelVersion(x.Model); err == nil {
			learned = n
		}
		behind += count - learned
		count++
		return nil
	})
	if err != nil {
		return err
	}
	var m event.Evaluation
	measure.Fill(&m)
	if count > 0 {
		mean := float64(behind) / float64(count)
		s.Behind = &mean
	}
	s.Examples, s.Positives = m.Examples, m.Positives
	s.LogLoss, s.NormalizedEntropy, s.AUC = m.LogLoss, m.NormalizedEntropy, m.AUC
	s.PredictedOverActual, s.ECE, s.Brier, s.AveragePrecision, s.Lift = m.PredictedOverActual, m.ECE, m.Brier, m.AveragePrecision, m.Lift
	s.LogLossInterval, s.NormalizedEntropyInterval = m.LogLossInterval, m.NormalizedEntropyInterval
	s.AUCInterval, s.PredictedOverActualInterval = m.AUCInterval, m.PredictedOverActualInterval
	return nil
}

// readAll calls fn for every record of topic, partition after partition.
func readAll(ctx context.Context, client *stream.Client, topic string, fn func(*stream.Record) error) error {
	ranges, err := client.Offsets(ctx, topic)
	if err != nil {
		return err
	}
	for p, r := range ranges {
		if err := client.ReadRange(ctx, topic, p, r.First, r.End, fn); err != nil {
			return fmt.Errorf("cannot read %s partition %d: %w", topic, p, err)
		}
	}
	return nil
}

// LastRow returns the largest row number of a recording on the predictions topic: an interrupted
// replay resumes behind it. Rows are written in order, so the last records of each partition are
// enough.
func LastRow(ctx context.Context, client *stream.Client, name string) (int64, error) {
	const lastRecords = 2000 // of each partition
	ranges, err := client.Offsets(ctx, event.TopicPredictions)
	if err != nil {
		return 0, err
	}
	var last int64
	var p event.Prediction
	for i, r := range ranges {
		err := client.ReadRange(ctx, event.TopicPredictions, i, max(r.First, r.End-lastRecords), r.End, func(rec *stream.Record) error {
			if err := p.UnmarshalJSON(rec.Value); err == nil && strings.HasPrefix(p.Request, name+"-") {
				last = max(last, p.Row)
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return last, nil
}
