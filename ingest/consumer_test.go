package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// flakyStore fails on purpose: before a batch is applied, or after, when the caller cannot know.
type flakyStore struct {
	*features.Memory
	before, after atomic.Int64 // one in so many calls; 0 for never
	calls         atomic.Int64
}

var errFlaky = errors.New("the store is away")

func (s *flakyStore) Apply(ctx context.Context, from int64, to features.Position, batch []features.Update) error {
	n := s.calls.Add(1)
	if every := s.before.Load(); every > 0 && n%every == 0 {
		return errFlaky
	}
	err := s.Memory.Apply(ctx, from, to, batch)
	if every := s.after.Load(); every > 0 && n%every == 1 && err == nil {
		return errFlaky
	}
	return err
}

var recordedAt, _ = event.ParseTime("2026-11-25T09:00:00Z")

// batch is a body of clicks with ids, each of a random user, some sent before.
func batch(rng *rand.Rand, sent *[]string, truth map[string]float64) string {
	var lines []string
	for range 1 + rng.IntN(30) {
		if len(*sent) > 0 && rng.IntN(4) == 0 {
			lines = append(lines, (*sent)[rng.IntN(len(*sent))])
			continue
		}
		user := fmt.Sprint("u", rng.IntN(9))
		line := fmt.Sprintf(`{"id":"c%d","type":"click","user":%q,"time":"2026-11-25T08:59:00Z","received":"2026-11-25T08:59:00Z"}`, len(*sent), user)
		*sent = append(*sent, line)
		truth[user]++
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// Whatever happens to the consumer and its store, profiles hold every event once.
func TestCountersEqualTheTruthWhateverFails(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 4))
			client := dial(t, backend.Kafka(t))
			store := &flakyStore{Memory: features.NewMemory()}
			i, server, stop := run(t, client, DefaultConfig(), store, true)
			var sent []string
			truth := map[string]float64{}
			post := func(body string, clock event.Time) {
				t.Helper()
				if status, _, a := send(t, "POST", server.URL+"/v1/events?clock="+clock.String(), nil, strings.NewReader(body)); status != 200 {
					t.Fatalf("status %d: %+v", status, a)
				}
			}
			restarts := 0
			for round := range event.Time(40) {
				body := batch(rng, &sent, truth)
				post(body, recordedAt+round)
				switch rng.IntN(8) {
				case 0: // killed while it folds
					if restarts++; restarts <= 4 {
						stop()
						i, server, stop = run(t, client, DefaultConfig(), store, true)
						// one that is stopped while it joins keeps its partitions for a session
						clicks(t, i, store, "u1", recordedAt+round)
					}
				case 1: // sent again, as after a 503
					post(body, recordedAt+round)
				case 2:
					if round < 15 { // later ones would mend what restarts get wrong
						store.Reset()
					}
				case 3:
					store.before.Store([]int64{0, 2, 3}[rng.IntN(3)])
				case 4:
					store.after.Store(int64(rng.IntN(2) * 3))
				case 5:
					clicks(t, i, store, "u1", recordedAt+round)
				}
			}
			store.before.Store(0)
			store.after.Store(0)
			post("[]", recordedAt+100) // an emptied store is noticed at the next record
			for user, want := range truth {
				if got := clicks(t, i, store, user, recordedAt+100); got != want {
					t.Errorf("%s has %v clicks, want %v", user, got, want)
				}
			}
		})
	}
}

func TestTwoConsumersShareAndCountOnce(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	store := features.NewMemory()
	rng := rand.New(rand.NewPCG(1, 4))
	first, server, _ := run(t, client, DefaultConfig(), store, true)
	var sent []string
	truth := map[string]float64{}
	var stopSecond func()
	for round := range event.Time(30) {
		body := batch(rng, &sent, truth)
		if status, _, _ := send(t, "POST", server.URL+"/v1/events?clock="+(recordedAt+round).String(), nil, strings.NewReader(body)); status != 200 {
			t.Fatalf("status %d", status)
		}
		switch round {
		case 5:
			var second *Ingester
			second, _, stopSecond = run(t, client, DefaultConfig(), store, true)
			poll(t, "a partition of the second", func() bool { _, folds := second.consumer.Own(1); return folds })
		case 20:
			stopSecond()
		}
	}
	for user, want := range truth {
		if got := clicks(t, first, store, user, recordedAt+29); got != want {
			t.Errorf("%s has %v clicks, want %v", user, got, want)
		}
	}
}

// An events topic that was deleted and made again is folded from its start beside what profiles
// hold of the old one.
func TestARecreatedTopicIsFoldedFromItsStart(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	store := features.NewMemory()
	i, server, _ := run(t, client, DefaultConfig(), store, true)
	post := func(from, to int, clock event.Time) {
		t.Helper()
		var body strings.Builder
		for n := from; n < to; n++ {
			fmt.Fprintf(&body, `{"id":"c%d","type":"click","user":"u1","time":"2026-11-25T08:59:00Z","received":"2026-11-25T08:59:00Z"}`+"\n", n)
		}
		if status, _, a := send(t, "POST", server.URL+"/v1/events?clock="+clock.String(), nil, strings.NewReader(body.String())); status != 200 {
			t.Fatalf("status %d: %+v", status, a)
		}
	}
	post(0, 10, recordedAt)
	if n := clicks(t, i, store, "u1", recordedAt); n != 10 {
		t.Fatalf("%v clicks, want 10", n)
	}
	backend.DeleteTopic(t, backend.Kafka(t)[0], client.Prefix()+event.TopicEvents)
	makeTopics(t, client)
	post(10, 60, recordedAt+1) // longer than the old one at once
	if n := clicks(t, i, store, "u1", recordedAt+1); n != 60 {
		t.Errorf("%v clicks, want 60", n)
	}
}

// No more events come; a store that was emptied is whole again all the same.
func TestAStoreThatIsEmptiedWhileNothingComesIsFoldedAgain(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	store := features.NewMemory()
	i, server, _ := run(t, client, DefaultConfig(), store, true)
	body := `{"id":"c","type":"click","user":"u1","time":"2026-11-25T08:59:00Z","received":"2026-11-25T08:59:00Z"}`
	send(t, "POST", server.URL+"/v1/events?clock="+recordedAt.String(), nil, strings.NewReader(body))
	if n := clicks(t, i, store, "u1", recordedAt); n != 1 {
		t.Fatalf("%v clicks, want 1", n)
	}
	store.Reset()
	for end := time.Now().Add(20 * time.Second); clicks(t, i, store, "u1", recordedAt) != 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the store stays empty")
		}
	}
}

// A record of a megabyte that nobody can read neither blocks the partition nor is lost.
func TestAHugeRecordIsBuriedAndTheRestFolded(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	store := features.NewMemory()
	i, server, _ := run(t, client, DefaultConfig(), store, true)
	for p := range 3 {
		if err := client.Produce(t.Context(), event.TopicEvents, []stream.Record{{Partition: p, Value: []byte(strings.Repeat("\x01", 1_000_000))}}); err != nil {
			t.Fatal(err)
		}
	}
	body := `{"id":"c","type":"click","user":"u1","time":"2026-11-25T08:59:00Z","received":"2026-11-25T08:59:00Z"}`
	if status, _, _ := send(t, "POST", server.URL+"/v1/events?clock="+recordedAt.String(), nil, strings.NewReader(body)); status != 200 {
		t.Fatalf("status %d", status)
	}
	if n := clicks(t, i, store, "u1", recordedAt); n != 1 {
		t.Errorf("%v clicks, want 1", n)
	}
	if letters := read(t, client, event.TopicDeadLetter)[0]; len(letters) != 3 {
		t.Errorf("%d dead letters, want 3", len(letters))
	}
}

// What a producer writes into received moves no clock.
func TestOnlyHeartbeatsMoveTheWatermark(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	store := features.NewMemory()
	i, server, _ := run(t, client, DefaultConfig(), store, true)
	absurd := `{"id":"x","type":"page","user":"u1","time":"2099-01-01T00:00:00Z","received":"2099-01-01T00:00:00Z"}`
	for p := range 3 {
		if err := client.Produce(t.Context(), event.TopicEvents, []stream.Record{{Partition: p, Value: []byte(absurd)}}); err != nil {
			t.Fatal(err)
		}
	}
	send(t, "POST", server.URL+"/v1/events?clock="+recordedAt.String(), nil, strings.NewReader("[]"))
	clicks(t, i, store, "u1", recordedAt)
	if mark, err := i.consumer.Watermark(t.Context()); err != nil || mark != recordedAt {
		t.Errorf("the watermark is %v (%v), want %v", mark, err, recordedAt)
	}
}
