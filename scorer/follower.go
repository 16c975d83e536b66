package scorer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// follower brings an objective's weights from its topic into its replicas. Messages that are lost, repeated, out of order or damaged change nothing: a delta
// fits only the version it was made for, and after a gap the next snapshot mends it.
type follower struct {
	objective string
	client    *stream.Client
	replicas  replicas
	now       func() event.Time
	logger    *slog.Logger
	messages  *prometheus.CounterVec // by objective and what became of them

	parts  assembly
	epoch  int64 // the highest seen
	warned time.Time
}

// run follows the topic until ctx ends, beginning at its last snapshot.
func (f *follower) run(ctx context.Context) error {
	for {
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.warn("cannot follow the weights, beginning again", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (f *follower) follow(ctx context.Context) error {
	topic := event.TopicModel(f.objective)
	from, err := f.lastSnapshot(ctx)
	if err != nil {
		return err
	}
	r := f.client.NewReader(topic, 0, from)
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
			f.record(&records[i])
		}
	}
}

// lastSnapshot finds the offset at which the last snapshot begins, looking back from the end in growing steps; 0 when there is none.
func (f *follower) lastSnapshot(ctx context.Context) (int64, error) {
	topic := event.TopicModel(f.objective)
	ranges, err := f.client.Offsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	end := ranges[0].End
	for look := int64(64); end > ranges[0].First; look *= 8 {
		first := max(ranges[0].First, end-look)
		found := int64(-1)
		r := f.client.NewReader(topic, 0, first)
		for r.Offset() < end {
			records, err := r.Read(ctx)
			if err != nil && !errors.Is(err, stream.ErrTrimmed) {
				return 0, errors.Join(err, r.Close())
			}
			for i := range records {
				if h, err := parseHeaders(records[i].Headers); err == nil && h.kind == "snapshot" && h.part == 0 && records[i].Offset < end {
					found = records[i].Offset
				}
			}
		}
		_ = r.Close()
		if found >= 0 {
			return found, nil
		}
		if first == ranges[0].First {
			break
		}
	}
	return ranges[0].First, nil
}

// record takes one part; the last one of a message applies it.
func (f *follower) record(r *stream.Record) {
	h, err := parseHeaders(r.Headers)
	if err != nil {
		f.count("malformed")
		f.warn("a record of the model topic is malformed", err)
		return
	}
	if h.epoch < f.epoch {
		f.count("deposed")
		return
	}
	f.epoch = h.epoch
	m, whole := f.parts.add(h, r.Value)
	if !whole {
		return
	}
	before, _ := f.replicas.version()
	if err := f.replicas.apply(m, f.now()); err != nil {
		f.count("refused")
		f.warn("a message of weights is refused, going on with those that are served", err)
		return
	}
	if after, _ := f.replicas.version(); after != before {
		f.count("applied")
	} else {
		f.count("held")
	}
}

func (f *follower) count(result string) {
	if f.messages != nil {
		f.messages.WithLabelValues(f.objective, result).Inc()
	}
}

// warn logs a fault that may repeat, once a period.
func (f *follower) warn(what string, err error) {
	if now := time.Now(); now.Sub(f.warned) > 10*time.Second {
		f.logger.Warn(what, "objective", f.objective, "err", err)
		f.warned = now
	}
}

// headers are those of a record of the model topic.
type headers struct {
	kind         string
	epoch        int64
	from, to     int64
	part, nParts int64
}

func parseHeaders(hs []stream.Header) (headers, error) {
	h := headers{epoch: -1, part: -1, nParts: -1}
	numbers := map[string]*int64{"epoch": &h.epoch, "from": &h.from, "to": &h.to, "part": &h.part, "parts": &h.nParts}
	for _, x := range hs {
		if x.Key == "kind" {
			h.kind = string(x.Value)
			continue
		}
		if to, ok := numbers[x.Key]; ok {
			n, err := strconv.ParseInt(string(x.Value), 10, 64)
			if err != nil {
				return h, fmt.Errorf("header %s is %.20q, want a number", x.Key, x.Value)
			}
			*to = n
		}
	}
	if h.kind != "snapshot" && h.kind != "delta" || h.epoch < 0 || h.part < 0 || h.nParts < 1 || h.part >= h.nParts || h.nParts > maxParts {
		return h, fmt.Errorf("headers are %+v, want kind, epoch, from, to, part and parts", h)
	}
	return h, nil
}

// maxParts bounds a message, at 900 kB a part.
const maxParts = 4096

// assembly puts parts together. Parts of one message come in order; anything else drops what was begun.
type assembly struct {
	head headers
	next int64
	body []byte
}

func (a *assembly) add(h headers, value []byte) (message, bool) {
	if h.part == 0 {
		a.head, a.next, a.body = h, 0, a.body[:0]
	}
	same := h
	same.part = a.head.part
	if h.part != a.next || same != a.head {
		a.next = -1
		return message{}, false
	}
	a.body = append(a.body, value...)
	a.next++
	if a.next < h.nParts {
		return message{}, false
	}
	return message{epoch: h.epoch, snapshot: h.kind == "snapshot", from: h.from, to: h.to, body: a.body}, true
}
