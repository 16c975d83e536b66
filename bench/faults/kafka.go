package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// waitsForKafka is a time that an answer would take if it did wait for Kafka. The limit is wide: on
// a machine of few processors, a Kafka that starts takes all of them for some seconds.
const waitsForKafka = time.Second

// kafkaFault is a case: Kafka is away for some time, by one command of scripts/services.sh, and
// comes back by another. Afterwards each prediction that was promised is on its topic, and gives
// one example. A record may stand on the topic of predictions twice, since delivery is at least
// once; an example may not.
func kafkaFault(begin, end string) func(*bench, context.Context) (string, error) {
	return func(b *bench, ctx context.Context) (string, error) {
		predictions, err := b.watch(ctx, event.TopicPredictions)
		if err != nil {
			return "", err
		}
		examples, err := b.watch(ctx, event.TopicExamples("click"))
		if err != nil {
			return "", err
		}
		var back time.Time
		got, err := collect(ctx, b.scores(before+b.away+after), func() error {
			if err := pause(ctx, before); err != nil {
				return err
			}
			began := b.system.Service(begin, "kafka")
			waited := pause(ctx, b.away)
			ended := b.system.Service(end, "kafka")
			back = time.Now()
			return errors.Join(began, waited, ended)
		})
		if err != nil {
			return "", err
		}
		logged := got.logged()
		written, lost := predictions.await(ctx, logged, predictionID)
		wrote := time.Since(back)
		learned, unlearned := examples.await(ctx, logged, exampleOf)
		text := fmt.Sprintf("away for %v: %v; %d predictions logged, on the topic at most %v after its return (%d more than once), with %d examples",
			b.away, got, len(logged), wrote.Round(100*time.Millisecond), written.twice, len(learned.values))
		var twice error
		if learned.twice > 0 {
			twice = fmt.Errorf("%d examples stand on the topic more than once", learned.twice)
		}
		return text, errors.Join(got.statuses(), within("an answer comes", got.times.All().Most(), waitsForKafka), lost, unlearned, twice)
	}
}

// logged are the ids of the predictions of all answers that said "logged":true.
func (a *answers) logged() map[string]bool {
	all := map[string]bool{}
	for _, one := range a.all {
		for _, id := range one.logged {
			all[id] = true
		}
	}
	return all
}

// watched is a topic from a moment on.
type watched struct {
	client *stream.Client
	topic  string
	from   []stream.Range
}

// watch begins with what is written from now on.
func (b *bench) watch(ctx context.Context, topic string) (*watched, error) {
	from, err := b.client.Offsets(ctx, topic)
	return &watched{client: b.client, topic: topic, from: from}, err
}

// found are records by id, and how many ids more than one record has.
type found struct {
	values map[string][]byte
	twice  int
}

// await waits until records of all ids are on the topic, for a minute, and returns them. An error
// names how many are missing.
func (w *watched) await(ctx context.Context, ids map[string]bool, id func(*stream.Record) string) (found, error) {
	const most = time.Minute
	for began := time.Now(); ; {
		f, err := w.read(ctx, ids, id)
		switch {
		case err != nil:
			return f, err
		case len(f.values) == len(ids):
			return f, nil
		case time.Since(began) > most:
			return f, fmt.Errorf("%d of %d predictions are not on the topic %s after %v", len(ids)-len(f.values), len(ids), w.topic, most)
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return f, err
		}
	}
}

// read reads what is there now.
func (w *watched) read(ctx context.Context, ids map[string]bool, id func(*stream.Record) string) (found, error) {
	f := found{values: map[string][]byte{}}
	seen := map[string]int{}
	now, err := w.client.Offsets(ctx, w.topic)
	if err != nil {
		return f, err
	}
	for p, r := range now {
		err := w.client.ReadRange(ctx, w.topic, p, w.from[p].End, r.End, func(r *stream.Record) error {
			if one := id(r); ids[one] {
				f.values[one] = append([]byte(nil), r.Value...)
				if seen[one]++; seen[one] == 2 {
					f.twice++
				}
			}
			return nil
		})
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// predictionID is the id of the prediction that a record holds.
func predictionID(r *stream.Record) string { return string(r.Key) }

// exampleOf is the id of the prediction whose example a record holds.
func exampleOf(r *stream.Record) string {
	var example struct{ Prediction string }
	if err := json.Unmarshal(r.Value, &example); err != nil {
		return ""
	}
	return example.Prediction
}
