package scorer

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// follower brings an objective's weights from the model topic into its replicas. Messages that are
// lost, repeated, out of order or damaged change nothing: a delta fits only the version that it was
// made for, and after a gap the next snapshot repairs the weights.
type follower struct {
	objective string
	network   string // its NetworkKey
	prior     float64
	client    *stream.Client
	replicas  replicas
	now       func() event.Time
	logger    *slog.Logger
	metrics   *instruments
	backoff   retry.Backoff
	topic     topicState
}

// topicState is how far a follower has read the model topic.
type topicState struct {
	id      string
	parts   weights.Sequence
	epoch   int64     // the highest seen
	skips   bool      // the snapshot that is being read is not needed
	search  bool      // for the last snapshot, instead of trusting the hint of the last record
	rewound time.Time // when a gap last led back to the last snapshot
}

const (
	joinBytes   = 16 << 20               // of a fetch
	joinWait    = 2 * time.Second        // before a joining replica serves the version that it has
	followPause = 500 * time.Millisecond // before the topic is followed again after a fault
	rewindEvery = 30 * time.Second
)

// errRewind asks for the topic to be read again from its last snapshot.
var errRewind = errors.New("a delta is missing: reading again from the last snapshot")

// run follows the topic until ctx ends, beginning at its last snapshot.
func (f *follower) run(ctx context.Context) error {
	f.backoff = retry.Backoff{Min: followPause, Max: followPause}
	for {
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.warn("cannot follow the weights, beginning again at the last snapshot", err)
		if !f.backoff.Pause(ctx) {
			return ctx.Err()
		}
	}
}

func (f *follower) follow(ctx context.Context) error {
	topic := event.TopicModel(f.network)
	id, err := f.client.TopicID(ctx, topic)
	if err != nil {
		return err
	}
	if id != f.topic.id {
		f.topic.id, f.topic.epoch = id, 0 // epochs count within a topic
		f.replicas.startTopic()
	}
	find := weights.LastSnapshot
	if f.topic.search {
		find, f.topic.search = weights.FindSnapshot, false
	}
	from, end, err := find(ctx, f.client, f.network)
	if err != nil {
		return err
	}
	f.topic.parts = weights.Loading()
	defer f.topic.parts.Close()
	r := f.client.NewReader(topic, 0, from).Hold(id).Fetch(joinBytes).As("weights." + f.network)
	defer r.Close()
	if err := f.join(ctx, r, end); err != nil {
		return err
	}
	for {
		records, err := f.read(ctx, r)
		if err != nil {
			return err
		}
		if err := f.acceptAll(records); err != nil {
			return err
		}
	}
}

// join reads up to end before the first version is served. So one replica alone applies all these
// messages, and the first version is a recent one. After joinWait it serves what it has: Kafka may
// have gone away.
func (f *follower) join(ctx context.Context, r *stream.Reader, end int64) error {
	if n, _ := f.replicas.version(); n >= 0 {
		return nil
	}
	f.replicas.joining = true
	defer f.joined()
	group, ctx := errgroup.WithContext(ctx)
	// the next records are fetched while a snapshot is decoded
	ahead := make(chan []stream.Record, 2)
	group.Go(func() error {
		defer close(ahead)
		for r.Offset() < end {
			records, err := f.read(ctx, r)
			if err != nil {
				return err
			}
			select {
			case ahead <- slices.Clone(records):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	group.Go(func() error {
		late := time.After(joinWait)
		for {
			select {
			case records, ok := <-ahead:
				if !ok {
					return nil
				}
				if err := f.acceptAll(records); err != nil {
					return err
				}
			case <-late:
				f.joined()
			}
		}
	})
	return group.Wait()
}

// joined serves what join has read.
func (f *follower) joined() {
	if f.replicas.joined(f.now()) {
		f.metrics.served(f.objective, &f.replicas)
	}
}

// read returns the next records, maybe none.
func (f *follower) read(ctx context.Context, r *stream.Reader) ([]stream.Record, error) {
	records, err := r.Next(ctx)
	if errors.Is(err, stream.ErrTrimmed) {
		return nil, nil // a snapshot follows
	}
	return records, err
}

func (f *follower) acceptAll(records []stream.Record) error {
	for i := range records {
		if err := f.accept(&records[i]); err != nil {
			return err
		}
	}
	return nil
}

// accept reads one part of a message. The last part applies the message. After an error the topic
// is followed anew.
func (f *follower) accept(r *stream.Record) error {
	h, err := weights.ParseHead(r.Headers)
	if err != nil {
		f.count("malformed")
		f.warn("a record of the model topic is malformed, skipping it", err)
		return nil
	}
	t := &f.topic
	if h.Epoch < t.epoch {
		f.count("deposed")
		return nil
	}
	t.epoch = h.Epoch
	if h.Kind == weights.Snapshot {
		if h.Part == 0 {
			if t.skips = f.replicas.has(&h); t.skips {
				f.count(string(repeated))
			}
		}
		if t.skips {
			return nil // it is for joining replicas
		}
	}
	err = t.parts.Add(h, r.Value, f.apply)
	switch {
	case err == nil:
	case errors.Is(err, model.ErrGap):
		f.count("gap")
		if time.Since(t.rewound) > rewindEvery {
			t.rewound, t.search = time.Now(), true
			return errRewind
		}
		f.warn("a delta of weights is missing, serving the present ones until the next snapshot", err)
	default:
		f.count("refused")
		f.warn("a message of weights is refused, serving the present ones until the next snapshot", err)
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
	if f.backoff.ShouldLog() {
		f.logger.Warn(what, "objective", f.objective, "err", err)
	}
}
