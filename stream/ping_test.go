package stream

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// kafka-go goes on answering for metadata what it knew.
func TestPingTellsThatTheBrokersAreGone(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	c, err := Dial(Config{Brokers: cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ping := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return c.Ping(ctx)
	}
	for range 3 {
		if err := ping(); err != nil {
			t.Fatal(err)
		}
	}
	cluster.Close()
	if err := ping(); err == nil {
		t.Error("brokers that are gone answer")
	}
}
