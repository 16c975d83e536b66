package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// bidders send requests to a scorer until they are told to stop, each over a connection of its own.
type bidders struct {
	url  string
	stop chan struct{}
	wg   sync.WaitGroup

	mu     sync.Mutex
	logged map[string]bool // predictions of answers that said so
	other  map[string]int  // other answers
	lost   []error         // requests that reached the scorer and got no answer
}

func startBidders(url string, n int) *bidders {
	b := &bidders{url: url, stop: make(chan struct{}), logged: map[string]bool{}, other: map[string]int{}}
	for i := range n {
		b.wg.Go(func() { b.bid(i) })
	}
	return b
}

// bid sends one request after another. It goes on where no connection is accepted.
func (b *bidders) bid(bidder int) {
	client := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	for i := 0; ; i++ {
		select {
		case <-b.stop:
			return
		default:
		}
		id := fmt.Sprintf("%d-%d-%d", time.Now().UnixNano(), bidder, i)
		resp, err := client.Post(b.url+"/v1/score", "application/json", bytes.NewReader(fmt.Appendf(nil, `{"request":%q,"user":"u%d","candidates":[{"ad":"a1"},{"ad":"a2"}]}`, id, i%50)))
		if errors.Is(err, syscall.ECONNREFUSED) {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		b.note(resp, err)
		if err == nil && resp.Close {
			return // the scorer has asked to go elsewhere
		}
	}
}

func (b *bidders) note(resp *http.Response, err error) {
	var answer struct {
		Logged      *bool
		Predictions []struct {
			Prediction string
			Chosen     bool
		}
		Error struct{ Code string }
	}
	if err == nil {
		var text []byte
		text, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil {
			err = json.Unmarshal(text, &answer)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err != nil:
		b.lost = append(b.lost, err)
	case resp.StatusCode == http.StatusOK && answer.Logged != nil && *answer.Logged:
		for _, p := range answer.Predictions {
			if p.Chosen {
				b.logged[p.Prediction] = true
			}
		}
	default:
		b.other[strconv.Itoa(resp.StatusCode)+" "+answer.Error.Code]++
	}
}

func (b *bidders) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.logged)
}

// await waits until n more answers are logged.
func (b *bidders) await(t *testing.T, n int) {
	t.Helper()
	n += b.count()
	for end := time.Now().Add(time.Minute); b.count() < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d answers are logged, %v others, want %d", b.count(), b.other, n)
		}
	}
}

func (b *bidders) end() {
	close(b.stop)
	b.wg.Wait()
}

// scoring starts a scorer as a process of its own over a broker that can refuse writes.
func scoring(t *testing.T, settings string) (s *stageProcess, broker *backend.Refusing, client *stream.Client) {
	t.Helper()
	broker = backend.NewRefusing(t)
	config := t.TempDir() + "/clickloop.yaml"
	text := "objectives:\n  - {name: click, trigger: prediction, positive: click, window: 30s}\nscorer:\n" + settings
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	prefix := backend.Prefix(t)
	s = &stageProcess{name: "scorer", address: freeAddress(t), admin: freeAddress(t)}
	s.args = []string{"--http", s.address, "--admin", s.admin, "--config", config, "--kafka", broker.Kafka, "--redis", backend.Redis(t), "--prefix", prefix}
	s.start(t)
	t.Cleanup(s.kill)
	awaitAnswer(t.Context(), t, s.address)
	client, err := stream.Dial(stream.Config{Brokers: []string{broker.Kafka}, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return s, broker, client
}

// awaitLogged waits until every answer that said "logged":true is on the topic.
func awaitLogged(t *testing.T, s *stageProcess, client *stream.Client, logged map[string]bool) {
	t.Helper()
	var missing int
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		on := predictionsOf(t, client)
		missing = 0
		for id := range logged {
			if !on[id] {
				missing++
			}
		}
		if missing == 0 {
			return
		}
	}
	t.Errorf("%d of %d answers said that they were logged, and are not on the topic\n%.3000s", missing, len(logged), s.stderr.String())
}

// predictionsOf returns the ids of the predictions on the topic.
func predictionsOf(t *testing.T, client *stream.Client) map[string]bool {
	t.Helper()
	ranges, err := client.Offsets(t.Context(), event.TopicPredictions)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for p, r := range ranges {
		if err := client.ReadRange(t.Context(), event.TopicPredictions, p, r.First, r.End, func(r *stream.Record) error {
			ids[string(r.Key)] = true
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

// A scorer with a spool is killed in the middle of load, while Kafka takes nothing and while it
// does: the next process writes all that was promised.
func TestWhatWasLoggedOutlivesAKillWithASpool(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	spool := t.TempDir() + "/spool"
	s, broker, client := scoring(t, "  spool: "+spool+"\n")
	topic := client.Prefix() + event.TopicPredictions
	b := startBidders("http://"+s.address, 6)
	for i := range 4 * kills() {
		broker.Refuse(topic, i%2 == 0)
		b.await(t, 200+random.IntN(400))
		s.kill()
		s.start(t)
		awaitAnswer(t.Context(), t, s.address)
	}
	b.await(t, 100)
	b.end()
	broker.Refuse(topic, false)
	awaitLogged(t, s, client, b.logged)
	if len(b.other) > 0 {
		t.Errorf("other answers: %v", b.other)
	}
	t.Logf("%d answers were logged, %d requests were cut off by a kill", len(b.logged), len(b.lost))
}

// A scorer that is told to stop under load answers every request that has reached it, and writes
// what was promised as soon as Kafka takes it.
func TestNoRequestIsLostWhenAScorerStopsUnderLoad(t *testing.T) {
	for range kills() {
		s, broker, client := scoring(t, "  drain: 20s\n")
		topic := client.Prefix() + event.TopicPredictions
		b := startBidders("http://"+s.address, 8)
		b.await(t, 300)
		broker.Refuse(topic, true)
		b.await(t, 300)
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		for refused := broker.Refused(topic); broker.Refused(topic) < refused+3; {
			time.Sleep(time.Millisecond)
		}
		broker.Refuse(topic, false)
		if err := s.cmd.Wait(); err != nil {
			t.Errorf("it ended with %v\n%.3000s", err, s.stderr.String())
		}
		b.end()
		awaitLogged(t, s, client, b.logged)
		if len(b.lost) > 0 || len(b.other) > 0 {
			t.Errorf("of %d requests %d got no answer (%v), and others %v", len(b.logged), len(b.lost), b.lost[:min(3, len(b.lost))], b.other)
		}
	}
}
