package feedback

import (
	"context"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// refusingRig is a rig over a broker of its own.
func refusingRig(t *testing.T) (*rig, *backend.Refusing) {
	t.Helper()
	r := newRig(t)
	broker := backend.NewRefusing(t)
	client, err := stream.Dial(stream.Config{Brokers: []string{broker.Kafka}, Prefix: backend.Prefix(t), ClientID: "test", Session: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	r.client, r.broker = client, broker.Kafka
	r.makeTopics()
	return r, broker
}

// committed is the offset of a group in a partition of a topic, -1 for none.
func (r *rig) committed(group, topic string, partition int) int64 {
	r.Helper()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	offset := int64(-2)
	_ = r.client.Join(ctx, group, []string{topic}, func(ctx context.Context, g *stream.Generation) error {
		for _, a := range g.Assigned[topic] {
			if a.Partition == partition {
				offset = a.Committed
			}
		}
		cancel()
		return ctx.Err()
	})
	if offset == -2 {
		r.Fatalf("the group has no partition %d of %s", partition, topic)
	}
	return offset
}

// A labeler's offset stays before a prediction whose dead letter is not acknowledged.
func TestNoOffsetPassesAnUnburiedPrediction(t *testing.T) {
	r, broker := refusingRig(t)
	deadletter := r.client.Prefix() + event.TopicDeadLetter
	var records []stream.Record
	for row := range int64(8) {
		p := prediction(row)
		if p.Partition = 1; row == 5 {
			p.Value = []byte("{broken")
		}
		records = append(records, p)
	}
	r.produce(event.TopicPredictions, records...)
	r.beat(t0.Add(time.Hour))
	broker.Refuse(deadletter, true)
	for range 2 {
		before := broker.Refused(deadletter)
		_, _, stop := r.start()
		r.await("a refused letter", func() bool { return broker.Refused(deadletter) >= before+3 })
		stop()
		if n := r.committed("labels.click", event.TopicPredictions, 1); n > 5 {
			t.Fatalf("the group's offset is %d, but the letter of offset 5 is nowhere", n)
		}
	}
	broker.Refuse(deadletter, false)
	r.start()
	r.awaitExamples(7)
	r.await("the dead letter", func() bool { return len(r.read(event.TopicDeadLetter)) > 0 })
	d, err := event.ParseDeadLetter(r.read(event.TopicDeadLetter)[0].Value)
	if err != nil || d.Offset != 5 || d.Partition != 1 || d.Topic != event.TopicPredictions || string(d.Payload) != "{broken" {
		t.Errorf("dead letter %+v, %v", d, err)
	}
}
