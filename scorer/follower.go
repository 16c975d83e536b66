package scorer

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// follower brings an objective's weights from its topic into its replicas. Messages that are lost, repeated, out of order or damaged change nothing: a delta
// fits only the version it was made for, and after a gap the next snapshot mends it.
type follower struct {
	objective string
	network   string // its NetworkKey
	client    *stream.Client
	replicas  replicas
	now       func() event.Time
	logger    *slog.Logger
	metrics   *instruments

	parts   weights.Sequence
	epoch   int64  // the highest seen
	topicID string // of the topic of weights
	warned  time.Time
	rewound time.Time
}

const (
	followPause = 500 * time.Millisecond // before the topic is followed again after a fault
	warnEvery   = 10 * time.Second
	rewindEvery = 30 * time.Second
)

// errRewind asks for the topic to be read again from its last snapshot.
var errRewind = errors.New("a delta is missing: reading again from the last snapshot")

// run follows the topic until ctx ends, beginning at its last snapshot.
func (f *follower) run(ctx context.Context) error {
	for {
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.warn("cannot follow the weights, beginning again at the last snapshot", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(followPause):
		}
	}
}

func (f *follower) follow(ctx context.Context) error {
	topic := event.TopicModel(f.network)
	id, err := f.client.TopicID(ctx, topic)
	if err != nil {
		return err
	}
	if id != f.topicID {
		f.topicID, f.epoch = id, 0 // epochs count within a topic
	}
	from, _, err := weights.LastSnapshot(ctx, f.client, f.network)
	if err != nil {
		return err
	}
	f.parts = weights.Sequence{}
	r := f.client.NewReader(topic, 0, from).Hold(id)
	defer r.Close()
	for {
		records, err := r.Read(ctx)
		if errors.Is(err, stream.ErrTrimmed) {
			continue // a snapshot follows
		}
		if err != nil {
			return err
		}
		for i := range records {
			if err := f.record(&records[i]); err != nil {
				return err
			}
		}
	}
}

// record takes one part; the last one of a message applies it. An error asks to begin again.
func (f *follower) record(r *stream.Record) error {
	h, err := weights.ParseHead(r.Headers)
	if err != nil {
		f.count("malformed")
		f.warn("a record of the topic of weights is malformed, passing it over", err)
		return nil
	}
	if h.Epoch < f.epoch {
		f.count("deposed")
		return nil
	}
	f.epoch = h.Epoch
	err = f.parts.Add(h, r.Value, f.apply)
	switch {
	case err == nil:
	case errors.Is(err, model.ErrGap):
		f.count("gap")
		if time.Since(f.rewound) > rewindEvery {
			f.rewound = time.Now()
			return errRewind
		}
		f.warn("a delta of weights is missing, going on with what is served until the next snapshot", err)
	default:
		f.count("refused")
		f.warn("a message of weights is refused, going on with what is served until the next snapshot", err)
	}
	return nil
}

func (f *follower) apply(m weights.Message) error {
	result, err := f.replicas.apply(m, f.now())
	if err == nil {
		f.count(string(result))
		f.metrics.served(f.objective, &f.replicas)
	}
	return err
}

func (f *follower) count(result string) {
	f.metrics.weights.WithLabelValues(f.objective, result).Inc()
}

// warn logs a fault that may repeat, once a period.
func (f *follower) warn(what string, err error) {
	if now := time.Now(); now.Sub(f.warned) > warnEvery {
		f.logger.Warn(what, "objective", f.objective, "err", err)
		f.warned = now
	}
}
