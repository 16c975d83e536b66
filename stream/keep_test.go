package stream_test

import (
	"math"
	"slices"
	"testing"

	"github.com/clickloop/clickloop/stream"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Real brokers answer a change of settings some moments before they show it.
func TestATopicThatShowsItsSettingLateIsWaitedFor(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	altered, stale := false, 0
	cluster.ControlKey(int16(kmsg.IncrementalAlterConfigs), func(kmsg.Request) (kmsg.Response, error, bool) {
		altered = true
		return nil, nil, false
	})
	old := "1000"
	late := func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if !altered || stale == 3 {
			return nil, nil, false
		}
		stale++
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, r := range req.(*kmsg.DescribeConfigsRequest).Resources {
			resp.Resources = append(resp.Resources, kmsg.DescribeConfigsResponseResource{ResourceType: r.ResourceType, ResourceName: r.ResourceName,
				Configs: []kmsg.DescribeConfigsResponseResourceConfig{{Name: "retention.bytes", Value: &old}}})
		}
		return resp, nil, true
	}
	cluster.ControlKey(int16(kmsg.DescribeConfigs), late)
	c := dial(t, slices.Clone(cluster.ListenAddrs()))
	if err := c.EnsureTopics(t.Context(), stream.Topic{Name: "late", Partitions: 1, RetentionBytes: 1000}); err != nil {
		t.Fatal(err)
	}
	if now, before, err := c.KeepBytes(t.Context(), "late", 5000); err != nil || now != 5000 || before != 1000 || stale != 3 {
		t.Errorf("%d now, %d before, %v, after %d late answers", now, before, err, stale)
	}
	if now, _, err := c.KeepBytes(t.Context(), "late", 2000); err != nil || now != 5000 {
		t.Errorf("asked for less, it keeps %d, %v", now, err)
	}
	if now, _, err := c.KeepBytes(t.Context(), "late", math.MaxInt64); err != nil || now != math.MaxInt64 {
		t.Errorf("asked for all, it keeps %d, %v", now, err)
	}
}
