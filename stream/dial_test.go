package stream

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/backend"
)

// Encryption and authentication sit in the one function that dials. A connection that went
// around it would be open to everyone.
func TestEveryConnectionIsOpenedByOneFunction(t *testing.T) {
	brokers, prefix := backend.Kafka(t), backend.Prefix(t)
	open, err := Dial(Config{Brokers: brokers, Prefix: prefix, TLS: backend.TLS(), SASL: SASL(backend.Administrator())})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := open.EnsureTopics(t.Context(), Topic{Name: "a", Partitions: 1, Retention: time.Hour}); err != nil {
		t.Fatal(err)
	}
	closed := errors.New("the door is closed")
	c, err := Dial(Config{Brokers: brokers, Prefix: prefix, Session: backend.Session(), dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, closed
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.remember("b", []int{1}, time.Now().Add(time.Hour)) // a group asks for the number before it dials
	reader := c.NewReader("a", 0, 0)
	defer reader.Close()
	for name, call := range map[string]func(ctx context.Context) error{
		"Ping":    c.Ping,
		"TopicID": func(ctx context.Context) error { _, err := c.TopicID(ctx, "a"); return err },
		"Offsets": func(ctx context.Context) error { _, err := c.Offsets(ctx, "a"); return err },
		"Produce": func(ctx context.Context) error { return c.Produce(ctx, "a", []Record{{Value: []byte("x")}}) },
		"fetch":   reader.fetch,
		"group": func(ctx context.Context) error {
			m := membership{groups: c.groups, group: prefix + "g", topics: []string{prefix + "b"}}
			return m.stay(ctx)
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := call(ctx); err == nil || !strings.Contains(err.Error(), closed.Error()) {
			t.Errorf("%s: %v, want %v", name, err, closed)
		}
		cancel()
	}
}
