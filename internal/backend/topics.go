package backend

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteTopic deletes a topic, prefix included, and fails the test if it cannot.
func DeleteTopic(t testing.TB, broker, topic string) {
	t.Helper()
	if err := deleteTopic(t.Context(), broker, topic); err != nil {
		t.Fatalf("cannot delete topic %s: %v", topic, err)
	}
}

func deleteTopic(ctx context.Context, broker, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", broker)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version = 1
	req.TopicNames = []string{topic}
	req.TimeoutMillis = 5000
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)); err != nil {
		return err
	}
	var head [8]byte // size, correlation id
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	body := make([]byte, min(binary.BigEndian.Uint32(head[:])-4, 1<<20))
	if _, err := io.ReadFull(conn, body); err != nil {
		return err
	}
	resp := kmsg.NewPtrDeleteTopicsResponse()
	resp.Version = 1
	if err := resp.ReadFrom(body); err != nil {
		return err
	}
	if len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != 0 {
		return fmt.Errorf("the broker answered %+v", resp.Topics)
	}
	return nil
}

// Session is what groups of tests wait for a member that is dead: little on the embedded broker, what a real one allows otherwise.
func Session() time.Duration {
	if Real() {
		return 6 * time.Second
	}
	return time.Second
}
