package backend

import (
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Refusing is a broker for one test that can refuse writes to some topics, as a broker does that
// has lost its replicas. A later attempt may succeed.
type Refusing struct {
	Kafka   string // host:port
	Cluster *kfake.Cluster

	mu      sync.Mutex
	topics  map[string]bool
	refused map[string]int
	acks    map[int16]int // requests by the acknowledgements that they ask for
}

const notEnoughReplicas = 19

// NewRefusing starts a broker that ends with the test.
func NewRefusing(t testing.TB) *Refusing {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatalf("cannot start a broker: %v", err)
	}
	t.Cleanup(cluster.Close)
	r := &Refusing{Kafka: cluster.ListenAddrs()[0], Cluster: cluster, topics: map[string]bool{}, refused: map[string]int{}, acks: map[int16]int{}}
	cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return r.produce(req.(*kmsg.ProduceRequest))
	})
	return r
}

func (r *Refusing) produce(req *kmsg.ProduceRequest) (kmsg.Response, error, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.acks[req.Acks]++
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	refuse := false
	for _, t := range req.Topics {
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			partition := kmsg.NewProduceResponseTopicPartition()
			partition.Partition, partition.ErrorCode = p.Partition, notEnoughReplicas
			topic.Partitions = append(topic.Partitions, partition)
		}
		resp.Topics = append(resp.Topics, topic)
		if r.topics[t.Topic] {
			refuse = true
			r.refused[t.Topic]++
		}
	}
	if !refuse {
		return nil, nil, false
	}
	return resp, nil, true
}

// Refuse sets whether the broker refuses writes to a topic, prefix included.
func (r *Refusing) Refuse(topic string, refuse bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.topics[topic] = refuse
}

// Refused returns how many writes to a topic the broker has refused.
func (r *Refusing) Refused(topic string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused[topic]
}

// Acks counts writes by the acknowledgement that they ask for: -1 is of all replicas.
func (r *Refusing) Acks() map[int16]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	acks := map[int16]int{}
	for k, n := range r.acks {
		acks[k] = n
	}
	return acks
}
