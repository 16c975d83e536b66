package stream_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/clickloop/clickloop/stream"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A write to many partitions is one request to each broker. A request that is refused, in whole or
// by leaving a partition out, is repeated for each partition, and no record is lost or moved.
func TestAWriteIsOneRequestToEachBroker(t *testing.T) {
	const brokers, partitions = 3, 12
	cluster, err := kfake.NewCluster(kfake.NumBrokers(brokers))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	c := dial(t, cluster.ListenAddrs())
	topic(t, c, "a", partitions)
	const notEnoughReplicas = 19
	var mu sync.Mutex
	var requests []int // partitions of each
	fault := "none"
	cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		if acks := req.(*kmsg.ProduceRequest).Acks; acks != -1 {
			t.Errorf("a request asks for %d acknowledgements, want all", acks)
		}
		asked := req.(*kmsg.ProduceRequest).Topics[0]
		requests = append(requests, len(asked.Partitions))
		if len(asked.Partitions) == 1 || fault == "none" {
			return nil, nil, false
		}
		if fault == "gone" {
			return nil, errors.New("gone"), true
		}
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		answered := kmsg.NewProduceResponseTopic()
		answered.Topic = asked.Topic
		for i, p := range asked.Partitions {
			if fault == "left out" && i == 0 {
				continue
			}
			one := kmsg.NewProduceResponseTopicPartition()
			one.Partition, one.ErrorCode = p.Partition, notEnoughReplicas
			answered.Partitions = append(answered.Partitions, one)
		}
		resp.Topics = append(resp.Topics, answered)
		return resp, nil, true
	})
	var led []int // partitions of each broker
	written := map[int][]string{}
	for round, f := range []string{"none", "refused", "left out", "gone", "none"} {
		mu.Lock()
		fault, requests = f, nil
		mu.Unlock()
		var records []stream.Record
		for i := range 100 {
			records = append(records, stream.Record{Partition: i % partitions, Value: fmt.Appendf(nil, "%d of %d", i, round)})
		}
		if err := c.Produce(t.Context(), "a", records); err != nil {
			t.Fatal(f, err)
		}
		for i := range records {
			p := records[i].Partition
			if want := int64(len(written[p])); records[i].Offset != want {
				t.Fatalf("%s: offset %d, want %d", f, records[i].Offset, want)
			}
			written[p] = append(written[p], string(records[i].Value))
		}
		mu.Lock()
		if led == nil {
			led = requests
		}
		want := len(led)
		if f != "none" { // each broker that leads several is asked in vain, then for each partition
			want = partitions
			for _, n := range led {
				if n > 1 {
					want++
				}
			}
		}
		if len(requests) != want || len(led) > brokers {
			t.Errorf("%s: partitions of the requests: %v, want %d requests", f, requests, want)
		}
		mu.Unlock()
	}
	for p, want := range written {
		var got []string
		if err := c.ReadRange(t.Context(), "a", p, 0, int64(len(want)), func(r *stream.Record) error {
			got = append(got, string(r.Value))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("partition %d has %v, want %v", p, got, want)
		}
	}
}
