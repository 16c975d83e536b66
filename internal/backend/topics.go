package backend

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// DeleteTopic deletes a topic, prefix included, and fails the test if it cannot.
func DeleteTopic(t testing.TB, broker, topic string) {
	t.Helper()
	req, resp := kmsg.NewPtrDeleteTopicsRequest(), kmsg.NewPtrDeleteTopicsResponse()
	req.Version, req.TopicNames, req.TimeoutMillis = 1, []string{topic}, 5000
	err := ask(t.Context(), broker, req, resp)
	if err == nil && (len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != 0) {
		err = fmt.Errorf("the broker answered %+v", resp.Topics)
	}
	if err != nil {
		t.Fatalf("cannot delete topic %s: %v", topic, err)
	}
}

// AddPartitions raises the partitions of a topic, prefix included, to n, and fails the test if it
// cannot.
func AddPartitions(t testing.TB, broker, topic string, n int) {
	t.Helper()
	req, resp := kmsg.NewPtrCreatePartitionsRequest(), kmsg.NewPtrCreatePartitionsResponse()
	req.Version, req.TimeoutMillis = 0, 5000
	req.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: topic, Count: int32(n)}}
	err := ask(t.Context(), broker, req, resp)
	if err == nil && (len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != 0) {
		err = fmt.Errorf("the broker answered %+v", resp.Topics)
	}
	if err != nil {
		t.Fatalf("cannot add partitions to topic %s: %v", topic, err)
	}
}

// CreateTopic creates a topic of one partition, prefix included, with one setting. A real broker
// applies a setting that AlterTopic makes only some moments later.
func CreateTopic(t testing.TB, broker, topic, name, value string) {
	t.Helper()
	req, resp := kmsg.NewPtrCreateTopicsRequest(), kmsg.NewPtrCreateTopicsResponse()
	req.Version, req.TimeoutMillis = 4, 5000
	req.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: topic, NumPartitions: 1, ReplicationFactor: 1,
		Configs: []kmsg.CreateTopicsRequestTopicConfig{{Name: name, Value: &value}}}}
	err := ask(t.Context(), broker, req, resp)
	if err == nil && (len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != 0) {
		err = fmt.Errorf("the broker answered %+v", resp.Topics)
	}
	if err != nil {
		t.Fatalf("cannot create topic %s with %s: %v", topic, name, err)
	}
}

// AlterTopic sets a topic's setting, prefix included, and fails the test if it cannot.
func AlterTopic(t testing.TB, broker, topic, name, value string) {
	t.Helper()
	req, resp := kmsg.NewPtrIncrementalAlterConfigsRequest(), kmsg.NewPtrIncrementalAlterConfigsResponse()
	req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: topic,
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Op: kmsg.IncrementalAlterConfigOpSet, Value: &value}}}}
	err := ask(t.Context(), broker, req, resp)
	if err == nil && (len(resp.Resources) != 1 || resp.Resources[0].ErrorCode != 0) {
		err = fmt.Errorf("the broker answered %+v", resp.Resources)
	}
	if err != nil {
		t.Fatalf("cannot set %s of topic %s: %v", name, topic, err)
	}
}

// ask sends one request as the administrator.
func ask(ctx context.Context, broker string, req kmsg.Request, resp kmsg.Response) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	client, err := kgo.NewClient(append(Franz(broker), kgo.MaxVersions(kversion.V2_4_0()))...)
	if err != nil {
		return err
	}
	defer client.Close()
	answer, err := client.Request(ctx, req)
	if err == nil {
		reflect.ValueOf(resp).Elem().Set(reflect.ValueOf(answer).Elem())
	}
	return err
}

// Session returns the session timeout for groups in tests: the shortest that a real broker allows,
// or less on the embedded one.
func Session() time.Duration {
	if Real() {
		return 6 * time.Second
	}
	return time.Second
}

// DeleteRecords deletes a partition's records before an offset, and fails the test if it cannot.
func DeleteRecords(t testing.TB, broker, topic string, partition int32, before int64) {
	t.Helper()
	req, resp := kmsg.NewPtrDeleteRecordsRequest(), kmsg.NewPtrDeleteRecordsResponse()
	req.Version, req.TimeoutMillis = 1, 5000
	req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: partition, Offset: before}}}}
	err := ask(t.Context(), broker, req, resp)
	if err == nil && (len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 || resp.Topics[0].Partitions[0].ErrorCode != 0) {
		err = fmt.Errorf("the broker answered %+v", resp.Topics)
	}
	if err != nil {
		t.Fatalf("cannot delete records of topic %s: %v", topic, err)
	}
}
