package embedded_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/embedded"
	"github.com/clickloop/clickloop/stream"
)

func start(t *testing.T, dir string) (*embedded.Services, error) {
	t.Helper()
	return embedded.Start(embedded.Config{Dir: dir, KafkaPort: -1, RedisPort: -1})
}

func TestAFolderServesOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	s, err := start(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = start(t, dir)
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("a second start on the same folder: %v, want an error that names the folder and the holder", err)
	}
	// One that ends while the next waits, as a killed process does, is waited for.
	started := make(chan error, 1)
	go func() {
		again, err := start(t, dir)
		if err == nil {
			err = again.Close()
		}
		started <- err
	}()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-started; err != nil {
		t.Errorf("a start while the holder ends: %v", err)
	}
}

func TestTheLogOutlivesARestartOfTheBroker(t *testing.T) {
	dir := t.TempDir()
	id := ""
	for round := range int64(3) {
		s, err := start(t, dir)
		if err != nil {
			t.Fatal(err)
		}
		c, err := stream.Dial(stream.Config{Brokers: []string{s.Kafka}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.EnsureTopics(t.Context(), stream.Topic{Name: "a", Partitions: 1, Retention: time.Hour}); err != nil {
			t.Fatal(err)
		}
		if err := c.Produce(t.Context(), "a", []stream.Record{{Value: []byte("x")}}); err != nil {
			t.Fatal(err)
		}
		ranges, err := c.Offsets(t.Context(), "a")
		if err != nil || ranges[0].End != round+1 {
			t.Errorf("after %d restarts the log holds %v (%v), want %d", round, ranges, err, round+1)
		}
		now, err := c.TopicID(t.Context(), "a")
		if err != nil || id != "" && now != id {
			t.Errorf("the topic's id is %s (%v) after a restart, was %s", now, err, id)
		}
		id = now
		_ = c.Close()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A client that asks for a broker that has stopped must never be given the broker's port for its
// own end of the connection.
func TestFreePortsAreNoneOfOutgoingConnections(t *testing.T) {
	for range 20 {
		port, err := embedded.FreePort()
		if err != nil || port >= 32768 {
			t.Errorf("port %d, %v", port, err)
		}
	}
}
