package stream_test

import (
	"errors"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker may drop the connection or answer with an error, as while leaders move. Neither may pass
// for an offset.
func TestOffsetsByTimeOutliveFaultsOfTheBroker(t *testing.T) {
	broker := backend.NewRefusing(t)
	c := dial(t, []string{broker.Kafka})
	topic(t, c, "a", 1)
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var records []stream.Record
	for i := range 5 {
		records = append(records, stream.Record{Value: []byte("x"), Time: day.Add(time.Duration(i) * time.Hour)})
	}
	if err := c.Produce(t.Context(), "a", records); err != nil {
		t.Fatal(err)
	}
	const notLeader = 6
	asked := 0
	broker.Cluster.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		broker.Cluster.KeepControl()
		r := req.(*kmsg.ListOffsetsRequest)
		if r.Topics[0].Partitions[0].Timestamp < 0 {
			return nil, nil, false // not by time
		}
		resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		switch asked++; asked {
		case 1:
			return nil, errors.New("gone"), true
		case 2:
			p := kmsg.NewListOffsetsResponseTopicPartition()
			p.ErrorCode = notLeader
			resp.Topics = []kmsg.ListOffsetsResponseTopic{{Topic: r.Topics[0].Topic, Partitions: []kmsg.ListOffsetsResponseTopicPartition{p}}}
			return resp, nil, true
		}
		return nil, nil, false
	})
	offsets, err := c.OffsetsAt(t.Context(), "a", day.Add(150*time.Minute))
	if err != nil || len(offsets) != 1 || offsets[0] != 3 || asked != 3 {
		t.Errorf("%v, %v after %d requests, want offset 3 after 3", offsets, err, asked)
	}
	if offsets, err = c.OffsetsAt(t.Context(), "a", day.Add(24*time.Hour)); err != nil || offsets[0] != 5 {
		t.Errorf("after the last record: %v, %v, want its end", offsets, err)
	}
}
