package scorer

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// follower brings an objective's weights from its topic into its replicas. Messages that are lost,
// repeated, out of order or damaged change nothing: a delta fits only the version it was made for,
// and after a gap the next snapshot mends it.
type follower struct {
	objective string
	network   string // its NetworkKey
	prior     float64
	client    *stream.Client
	replicas  replicas
	now       func() event.Time
	logger    *slog.Logger
	metrics   *instruments

	parts   weights.Sequence
	skips   bool   // the snapshot that is coming is of no use
	search  bool   // for the last snapshot, instead of believing what the last record says
	epoch   int64  // the highest seen
	topicID string // of the topic of weights
	warned  time.Time
	rewound time.Time
}

const (
	joinBytes = 16 << 20 // that a request asks for while there is much to read
	// until an old version is served that a newer one should have followed
	joinWait    = 2 * time.Second
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
		f.replicas.renew()
	}
	find := weights.LastSnapshot
	if f.search {
		find, f.search = weights.FindSnapshot, false
	}
	from, end, err := find(ctx, f.client, f.network)
	if err != nil {
		return err
	}
	f.parts = weights.Loading()
	defer f.parts.Close()
	r := f.client.NewReader(topic, 0, from).Hold(id).Fetch(joinBytes)
	defer r.Close()
	if err := f.join(ctx, r, end); err != nil {
		return err
	}
	for {
		records, err := f.read(ctx, r)
		if err != nil {
			return err
		}
		if err := f.records(records); err != nil {
			return err
		}
	}
}

// join reads up to end before anything is served, if nothing is yet: so one copy of the weights
// takes all the messages, and the first version that is served is a new one. What there is is
// served anyway when that takes long, as where Kafka goes away meanwhile.
func (f *follower) join(ctx context.Context, r *stream.Reader, end int64) error {
	if n, _ := f.replicas.version(); n >= 0 {
		return nil
	}
	f.replicas.joining = true
	defer f.joined()
	group, ctx := errgroup.WithContext(ctx)
	// so that Kafka is asked for what follows while a snapshot is decoded
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
				if err := f.records(records); err != nil {
					return err
				}
			case <-late:
				f.joined()
			}
		}
	})
	return group.Wait()
}

// joined serves what has come.
func (f *follower) joined() {
	if f.replicas.joined(f.now()) {
		f.metrics.served(f.objective, &f.replicas)
	}
}

// read returns the records that come next, maybe none.
func (f *follower) read(ctx context.Context, r *stream.Reader) ([]stream.Record, error) {
	records, err := r.Next(ctx)
	if errors.Is(err, stream.ErrTrimmed) {
		return nil, nil // a snapshot follows
	}
	return records, err
}

func (f *follower) records(records []stream.Record) error {
	for i := range records {
		if err := f.accept(&records[i]); err != nil {
			return err
		}
	}
	return nil
}

// accept takes one part of a message; the last one applies the message. An error asks to begin again.
func (f *follower) accept(r *stream.Record) error {
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
	if h.Kind == weights.Snapshot {
		if h.Part == 0 {
			if f.skips = f.replicas.has(&h); f.skips {
				f.count(string(repeated))
			}
		}
		if f.skips {
			return nil // it is for those who join
		}
	}
	err = f.parts.Add(h, r.Value, f.apply)
	switch {
	case err == nil:
	case errors.Is(err, model.ErrGap):
		f.count("gap")
		if time.Since(f.rewound) > rewindEvery {
			f.rewound, f.search = time.Now(), true
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
