package learner

import (
	"context"
	"strconv"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// partBytes is the largest value of one record; messages are cut into such parts.
const partBytes = 900_000

// Headers of the records of model.<objective>.
const (
	HeaderKind  = "kind" // snapshot or delta
	HeaderEpoch = "epoch"
	HeaderFrom  = "from" // examples in the weights that a delta is applied to
	HeaderTo    = "to"   // examples in the weights that result
	HeaderPart  = "part" // from 0
	HeaderParts = "parts"
)

// publisher writes an objective's weights to its topic. Its epoch tells a learner that was deposed, and does not know it yet, from the one that follows.
type publisher struct {
	client    *stream.Client
	objective string
	epoch     int64
	from      int64 // examples in the weights published last
	bytes     int64 // of deltas since the last snapshot
	last      time.Time
	took      time.Duration
	buffer    []byte
	metrics   *instruments
}

// claim takes the epoch above the highest in the topic. Records of one learner carry rising epochs, so the newest record has the highest.
func (p *publisher) claim(ctx context.Context) error {
	topic := event.TopicModel(p.objective)
	ranges, err := p.client.Offsets(ctx, topic)
	if err != nil {
		return err
	}
	p.epoch = 1
	const look = 16 // a deposed learner's last words may stand behind its successor's first
	rg := ranges[0]
	if rg.First = max(rg.First, rg.End-look); rg.First >= rg.End {
		return nil
	}
	r := p.client.NewReader(topic, 0, rg.First)
	defer r.Close()
	for r.Offset() < rg.End {
		records, err := r.Read(ctx)
		if err != nil {
			return err
		}
		for _, rec := range records {
			for _, h := range rec.Headers {
				if h.Key != HeaderEpoch {
					continue
				}
				if n, err := strconv.ParseInt(string(h.Value), 10, 64); err == nil {
					p.epoch = max(p.epoch, n+1)
				}
			}
		}
	}
	return nil
}

// snapshot publishes the whole weights.
func (p *publisher) snapshot(ctx context.Context, net *model.Net) error {
	p.bytes = 0
	p.buffer = net.AppendSnapshot(p.buffer[:0])
	return p.write(ctx, "snapshot", net.Examples())
}

// delta publishes what changed since the last message.
func (p *publisher) delta(ctx context.Context, net *model.Net) error {
	p.buffer = net.AppendDelta(p.buffer[:0])
	p.bytes += int64(len(p.buffer))
	return p.write(ctx, "delta", net.Examples())
}

func (p *publisher) write(ctx context.Context, kind string, to int64) error {
	began := time.Now()
	parts := max((len(p.buffer)+partBytes-1)/partBytes, 1)
	records := make([]stream.Record, parts)
	number := func(n int64) []byte { return strconv.AppendInt(nil, n, 10) }
	for i := range records {
		from := i * partBytes
		records[i] = stream.Record{
			Key: []byte(p.objective), Value: p.buffer[from:min(from+partBytes, len(p.buffer))],
			Headers: []stream.Header{
				{Key: event.HeaderContentType, Value: []byte(event.ContentTypeBinary)}, {Key: event.HeaderSchema, Value: []byte(event.SchemaModel)},
				{Key: HeaderKind, Value: []byte(kind)}, {Key: HeaderEpoch, Value: number(p.epoch)}, {Key: HeaderFrom, Value: number(p.from)},
				{Key: HeaderTo, Value: number(to)}, {Key: HeaderPart, Value: number(int64(i))}, {Key: HeaderParts, Value: number(int64(parts))},
			},
		}
	}
	if err := p.client.Produce(ctx, event.TopicModel(p.objective), records); err != nil {
		return err
	}
	p.from = to
	p.last = time.Now()
	p.took = p.last.Sub(began)
	p.metrics.published.WithLabelValues(p.objective, kind).Add(float64(len(p.buffer)))
	p.metrics.version.WithLabelValues(p.objective).Set(float64(to))
	return nil
}

// wait is how long until the next message may go out. Publishing takes at most a fifth of the time: a learner that is behind publishes less often, not
// later and later.
func (p *publisher) wait(interval time.Duration) time.Duration {
	return time.Until(p.last.Add(max(interval, min(4*p.took, time.Second))))
}
