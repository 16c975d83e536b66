package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// batching runs a Batcher of a topic until stop, which waits for its end.
func batching(t *testing.T, b *stream.Batcher) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.Run(ctx) // ends with ctx's error
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func refusing(t *testing.T) (*backend.Refusing, *stream.Client) {
	t.Helper()
	broker := backend.NewRefusing(t)
	c := dial(t, []string{broker.Kafka})
	topic(t, c, "a", 1)
	return broker, c
}

func one(value string) []stream.Record {
	return []stream.Record{{Partition: -1, Value: []byte(value)}}
}

func TestAWriteThatFailedIsNotAcknowledged(t *testing.T) {
	broker, c := refusing(t)
	b := stream.NewBatcher(c, "a", 1<<20)
	stop := batching(t, b)
	if err := b.Write(t.Context(), one("first")); err != nil {
		t.Fatal(err)
	}
	broker.Refuse(c.Prefix()+"a", true)
	done, err := b.Enqueue(one("refused"))
	if err != nil {
		t.Fatal(err)
	}
	for broker.Refused(c.Prefix()+"a") < 2 {
		time.Sleep(time.Millisecond)
	}
	if settled, err := b.Result(done); settled {
		t.Fatalf("a refused write is settled with %v while it is repeated", err)
	}
	stop()
	if err := b.Await(t.Context(), done); err == nil {
		t.Error("a write that was refused to the end is acknowledged")
	}
	if _, err := b.Enqueue(one("late")); !errors.Is(err, stream.ErrEnded) {
		t.Errorf("behind the end: %v, want ErrEnded", err)
	}
	expect(t, "the topic", readAll(t, c, "a", 0), "first")
}

func TestAFullBatcherSaysSo(t *testing.T) {
	broker, c := refusing(t)
	broker.Refuse(c.Prefix()+"a", true)
	b := stream.NewBatcher(c, "a", 1000)
	batching(t, b)
	value := strings.Repeat("x", 400)
	var full error
	for range 4 {
		if _, err := b.Enqueue(one(value)); err != nil {
			full = err
		}
	}
	if !errors.Is(full, stream.ErrFull) {
		t.Errorf("more than the limit waits: %v", full)
	}
}

func TestABatcherDrainsWhatWaitsWhenItEnds(t *testing.T) {
	broker, c := refusing(t)
	name := c.Prefix() + "a"
	lost := 0
	b := stream.NewBatcher(c, "a", 1<<20).Drain(time.Minute, func(n int, err error) { lost += n })
	broker.Refuse(name, true)
	stop := batching(t, b)
	var waits []stream.Ticket
	var want []string
	for i := range 5 {
		done, err := b.Enqueue(one(strconv.Itoa(i)))
		if err != nil {
			t.Fatal(err)
		}
		waits, want = append(waits, done), append(want, strconv.Itoa(i))
	}
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	for at := broker.Refused(name); broker.Refused(name) < at+2; {
		time.Sleep(time.Millisecond)
	}
	broker.Refuse(name, false)
	<-stopped
	for i, done := range waits {
		if err := b.Await(t.Context(), done); err != nil {
			t.Errorf("write %d: %v", i, err)
		}
	}
	expect(t, "the topic", readAll(t, c, "a", 0), want...)
	if lost != 0 {
		t.Errorf("%d are lost", lost)
	}
}

func TestWhatCannotBeDrainedIsCounted(t *testing.T) {
	broker, c := refusing(t)
	lost := 0
	var why error
	b := stream.NewBatcher(c, "a", 1<<20).Drain(50*time.Millisecond, func(n int, err error) { lost, why = lost+n, err })
	broker.Refuse(c.Prefix()+"a", true)
	stop := batching(t, b)
	var waits []stream.Ticket
	for i := range 7 {
		done, err := b.Enqueue(one(strconv.Itoa(i)))
		if err != nil {
			t.Fatal(err)
		}
		waits = append(waits, done)
	}
	began := time.Now()
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(20 * time.Second):
		broker.Refuse(c.Prefix()+"a", false) // or it never ends
		t.Fatal("the drain goes on after its time")
	}
	for _, done := range waits {
		if err := b.Await(t.Context(), done); err == nil {
			t.Error("a write is acknowledged that was refused")
		}
	}
	if lost != 7 || why == nil {
		t.Errorf("%d are lost, %v; want 7", lost, why)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A ticket tells what became of its own records, also to those who ask late or for a part of them.
func TestATicketTellsOfItsRecordsAlone(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	backend.CreateTopic(t, backend.Kafka(t)[0], c.Prefix()+"a", "max.message.bytes", "20000")
	topic(t, c, "a", 1)
	written := 0
	b := stream.NewBatcher(c, "a", 64<<20).Count(func(n int) { written += n })
	large := one(strings.Repeat("l", 30_000))[0]
	small := one("small")[0]
	all, err := b.Enqueue([]stream.Record{small, large, small, large})
	if err != nil {
		t.Fatal(err)
	}
	if settled, _ := b.Result(all); settled {
		t.Error("it is settled before it is written")
	}
	if settled, err := b.Result(stream.Ticket{}); !settled || err != nil {
		t.Errorf("no record: %v, %v", settled, err)
	}
	stop := batching(t, b)
	f := func(from, to int, refused ...int) {
		t.Helper()
		err := b.Await(t.Context(), all.Part(from, to))
		var large *stream.TooLargeError
		if errors.As(err, &large) != (len(refused) > 0) || large != nil && (!slices.Equal(large.Records, refused) || large.Bytes < 30_000) {
			t.Errorf("records %d to %d: %v, want %v refused", from, to, err, refused)
		}
	}
	f(0, 4, 1, 3)
	f(0, 1)
	f(2, 3)
	f(1, 2, 0)
	f(2, 4, 1)
	stop()
	f(0, 4, 1, 3)
	if written != 2 {
		t.Errorf("%d records are counted as written, want 2", written)
	}
}

// journal is a Journal in memory.
type journal struct {
	records []stream.Record
	settled int
	err     error
}

func (j *journal) Append(recs []stream.Record) error {
	if j.err == nil {
		j.records = append(j.records, recs...)
	}
	return j.err
}

func (j *journal) Settle(n int) { j.settled += n }

// What was recovered is written first, however much it is; what the journal does not take is not
// enqueued, and what waits at the end is not settled.
func TestAJournalHasWhatIsNotWritten(t *testing.T) {
	broker, c := refusing(t)
	name := c.Prefix() + "a"
	j := &journal{}
	var recovered []stream.Record
	for i := range 20 {
		recovered = append(recovered, one(fmt.Sprint("recovered ", i))...)
	}
	b := stream.NewBatcher(c, "a", 100).Keep(j, recovered)
	if _, err := b.Enqueue(one("x")); !errors.Is(err, stream.ErrFull) {
		t.Errorf("behind more than the limit: %v", err)
	}
	stop := batching(t, b)
	for n, _ := b.Waiting(); n > 0; n, _ = b.Waiting() {
		time.Sleep(time.Millisecond)
	}
	j.err = errors.New("no space left on device")
	if _, err := b.Enqueue(one("refused")); !errors.Is(err, j.err) {
		t.Errorf("a journal that is full: %v", err)
	}
	j.err = nil
	if err := b.Write(t.Context(), one("written")); err != nil {
		t.Error(err)
	}
	broker.Refuse(name, true)
	if _, err := b.Enqueue(one("waits")); err != nil {
		t.Error(err)
	}
	stop()
	if len(j.records) != 2 || j.settled != 21 {
		t.Errorf("the journal has %d records, and %d are settled; want 2 and 21", len(j.records), j.settled)
	}
	broker.Refuse(name, false)
	got := readAll(t, c, "a", 0)
	if len(got) != 21 || got[20] != "written" || got[0] != "recovered 0" {
		t.Errorf("the topic has %v", got)
	}
}

// Records linger only while nobody waits for them and the process goes on.
func TestNobodyWaitsForALingeringWrite(t *testing.T) {
	_, c := refusing(t)
	b := stream.NewBatcher(c, "a", 1<<20).Linger(time.Hour).Drain(time.Minute, nil)
	stop := batching(t, b)
	if err := b.Write(t.Context(), one("awaited")); err != nil {
		t.Error(err)
	}
	early, err := b.Enqueue(one("lingers"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Enqueue(one("lingers too")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond) // for Run to fall asleep; it may not have, and the test passes then too
	if settled, _ := b.Result(early); settled {
		t.Error("it was written although nobody waited")
	}
	patient := make(chan error)
	go func() { patient <- b.AwaitPatiently(t.Context(), early) }()
	select {
	case err := <-patient:
		t.Error("it was written although a patient caller waited,", err)
	case <-time.After(10 * time.Millisecond):
	}
	if err := b.Await(t.Context(), early); err != nil {
		t.Error(err)
	}
	if err := <-patient; err != nil {
		t.Error(err)
	}
	if _, err := b.Enqueue(one("at the end")); err != nil {
		t.Fatal(err)
	}
	stop()
	expect(t, "the topic", readAll(t, c, "a", 0), "awaited", "lingers", "lingers too", "at the end")
}

// A queue that is longer than a write is written in its order, and its waiters hear in theirs.
func TestALongQueueIsWrittenInItsOrder(t *testing.T) {
	_, c := refusing(t)
	b := stream.NewBatcher(c, "a", 64<<20)
	var want []string
	var last stream.Ticket
	for i := range 120 {
		value := fmt.Sprint(i, strings.Repeat("x", 100_000))
		var err error
		if last, err = b.Enqueue(one(value)); err != nil {
			t.Fatal(err)
		}
		want = append(want, value)
	}
	batching(t, b)
	if err := b.Await(t.Context(), last); err != nil {
		t.Error(err)
	}
	expect(t, "the topic", readAll(t, c, "a", 0), want...)
	if n, bytes := b.Waiting(); n != 0 || bytes != 0 {
		t.Errorf("%d records of %d bytes wait", n, bytes)
	}
}

// One record that the topic does not take is refused alone, by name; those that share its batch are
// written and acknowledged.
func TestATooLargeRecordIsAnsweredAlone(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	backend.CreateTopic(t, backend.Kafka(t)[0], c.Prefix()+"a", "max.message.bytes", "20000")
	topic(t, c, "a", 1)
	counted := 0
	b := stream.NewBatcher(c, "a", 64<<20).Drain(0, func(n int, err error) { counted += n })
	small, large := strings.Repeat("s", 1000), strings.Repeat("l", 30_000)
	var waits []stream.Ticket
	var want []string
	for i := range 60 { // all of them in one batch: nothing runs yet
		recs := one(fmt.Sprint(i, small))
		if i%20 == 7 {
			recs = append(recs, one(large)[0], one(fmt.Sprint(i, "behind"))[0])
		}
		done, err := b.Enqueue(recs)
		if err != nil {
			t.Fatal(err)
		}
		waits = append(waits, done)
		want = append(want, fmt.Sprint(i, small))
		if i%20 == 7 {
			want = append(want, fmt.Sprint(i, "behind"))
		}
	}
	batching(t, b)
	for i, done := range waits {
		err := b.Await(t.Context(), done)
		var refused *stream.TooLargeError
		switch is := errors.As(err, &refused); {
		case i%20 != 7 && err != nil:
			t.Errorf("write %d: %v", i, err)
		case i%20 == 7 && !is:
			t.Errorf("write %d with a large record: %v", i, err)
		case is && (!slices.Equal(refused.Records, []int{1}) || refused.Limit != 20_000 || !strings.Contains(err.Error(), "max.message.bytes is 20000") || !strings.Contains(err.Error(), c.Prefix()+"a") || !strings.Contains(err.Error(), "--alter")):
			t.Errorf("write %d: %+v", i, err)
		}
	}
	expect(t, "the topic", readAll(t, c, "a", 0), want...)
	if counted != 3 {
		t.Errorf("%d were told as refused, want 3", counted)
	}
}

func TestALimitThatIsRaisedIsSeen(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	backend.CreateTopic(t, backend.Kafka(t)[0], c.Prefix()+"a", "max.message.bytes", "20000")
	topic(t, c, "a", 1)
	large := one(strings.Repeat("l", 30_000))
	var refused *stream.TooLargeError
	if err := c.Produce(t.Context(), "a", large); !errors.As(err, &refused) {
		t.Fatalf("30,000 bytes: %v", err)
	}
	backend.AlterTopic(t, backend.Kafka(t)[0], c.Prefix()+"a", "max.message.bytes", "100000")
	// a real broker shows it some moments later
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := c.Produce(t.Context(), "a", large)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("with a larger limit: %v", err)
		}
	}
}

// A topic that came to take less between two writes costs no record, whatever its batches are
// halved to.
func TestHalvingABatchDropsNothing(t *testing.T) {
	for _, limit := range []int{1500, 4000, 50_000} {
		c := dial(t, backend.Kafka(t))
		backend.CreateTopic(t, backend.Kafka(t)[0], c.Prefix()+"a", "max.message.bytes", strconv.Itoa(limit))
		topic(t, c, "a", 1)
		var recs []stream.Record
		var want []string
		for i := range 301 {
			value := fmt.Sprint(i, strings.Repeat("x", 1000))
			recs, want = append(recs, one(value)...), append(want, value)
		}
		if err := c.Produce(t.Context(), "a", recs); err != nil {
			t.Fatalf("limit %d: %v", limit, err)
		}
		expect(t, fmt.Sprint("limit ", limit), readAll(t, c, "a", 0), want...)
		for i := range recs {
			if recs[i].Offset != int64(i) {
				t.Fatalf("limit %d: record %d is told to be at offset %d", limit, i, recs[i].Offset)
			}
		}
	}
}

func TestEveryWriteAsksForAllReplicas(t *testing.T) {
	broker, c := refusing(t)
	if err := c.Produce(t.Context(), "a", numbered(0, 10)); err != nil {
		t.Fatal(err)
	}
	b := stream.NewBatcher(c, "a", 1<<20)
	batching(t, b)
	if err := b.Write(t.Context(), one("x")); err != nil {
		t.Fatal(err)
	}
	if acks := broker.Acks(); acks[-1] != 2 || len(acks) != 1 {
		t.Errorf("writes by what they ask for: %v, want two for all (-1)", acks)
	}
}

func TestALateCommitMovesNothingBack(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	topic(t, c, "a", 1)
	if err := c.Produce(t.Context(), "a", numbered(0, 10)); err != nil {
		t.Fatal(err)
	}
	join := func(fn func(ctx context.Context, g *stream.Generation) error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_ = c.Join(ctx, "g", []string{"a"}, func(ctx context.Context, g *stream.Generation) error {
			defer cancel()
			return fn(ctx, g)
		})
	}
	join(func(ctx context.Context, g *stream.Generation) error {
		for _, next := range []int64{7, 3} {
			if err := g.Commit(ctx, "a", map[int]int64{0: next}); err != nil {
				t.Errorf("commit of %d: %v", next, err)
			}
		}
		return nil
	})
	join(func(_ context.Context, g *stream.Generation) error {
		if at := g.Assigned["a"][0].Committed; at != 7 {
			t.Errorf("the group is at %d, want 7", at)
		}
		return nil
	})
}
