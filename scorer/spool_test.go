package scorer

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/spool"
	"github.com/clickloop/clickloop/stream"
)

// What Kafka has not acknowledged when a process ends is written by the next one, before its own.
func TestTheNextProcessWritesWhatTheSpoolHas(t *testing.T) {
	dir := t.TempDir() + "/spool"
	p := publishing(t, func(c *Config) { c.Spool, c.Drain, c.MaxWaiting = dir, 0, 1<<20 })
	topic := p.client.Prefix() + event.TopicPredictions
	p.broker.Refuse(topic, true)
	var want []string
	var first string
	for n := 0; ; n++ {
		w := post(p.Scorer, askedPlain(n, `"x":"`+strings.Repeat("y", 15_000)+`"`), "")
		if w.Code == 503 {
			break
		}
		if want = append(want, fmt.Sprintf("r%d.0", n)); n == 0 {
			first = w.Body.String()
		}
	}
	p.stop()
	if got := p.count(t, "spooled"); got != float64(len(want)) || p.count(t, "lost") != 0 || !strings.Contains(p.lines.String(), "left in the spool") {
		t.Errorf("%v are left in the spool, %v lost, want %d\n%s", got, p.count(t, "lost"), len(want), p.lines)
	}
	// the next one has less room than the spool has records
	next := publishingAt(t, p.broker, p.client.Prefix(), func(c *Config) { c.Spool, c.MaxWaiting = dir, 1<<20 })
	if got := next.count(t, "replayed"); got != float64(len(want)) {
		t.Errorf("%v are replayed, want %d", got, len(want))
	}
	if w := post(next.Scorer, askedPlain(1000, ""), ""); w.Code != 503 {
		t.Errorf("while what was left fills the queue: %d %s", w.Code, w.Body)
	}
	p.broker.Refuse(topic, false)
	for n, _ := next.log.batcher.Waiting(); n > 0; n, _ = next.log.batcher.Waiting() {
		time.Sleep(time.Millisecond)
	}
	// the request is on the topic: it gets its choice again
	if w := post(next.Scorer, askedPlain(0, `"x":"`+strings.Repeat("y", 15_000)+`"`), ""); w.Body.String() != first {
		t.Errorf("sent again: %s, first %s", w.Body, first)
	}
	post(next.Scorer, askedPlain(1001, ""), "")
	next.stop()
	var got []string
	for _, r := range readAll(t, p.client, event.TopicPredictions) {
		got = append(got, string(r.Key))
	}
	want = append(want, "r0.0", "r1001.0") // consumers know r0.0 by its id
	slices.Sort(got)                       // by partition
	slices.Sort(want)
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the topic has %v, want %v", got, want)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 { // the lock and the position
		t.Errorf("%v are left in the spool, %v", left, err)
	}
}

// Records of the spool are the very records that would have been written: place, key, value,
// headers.
func TestTheSpoolKeepsWholeRecords(t *testing.T) {
	f := func(r stream.Record) {
		t.Helper()
		got, ok := decodeRecord(encodeRecord(nil, &r))
		if !ok || got.Partition != -1 || !bytes.Equal(got.Key, r.Key) || !bytes.Equal(got.Place, r.Place) || !bytes.Equal(got.Value, r.Value) {
			t.Errorf("%+v is read back as %+v, %v", r, got, ok)
		}
	}
	f(stream.Record{Key: []byte("r1.0"), Place: []byte("r1"), Value: []byte("{}")})
	f(stream.Record{Key: []byte(strings.Repeat("k", 300)), Place: []byte(strings.Repeat("k", 298)), Value: []byte(strings.Repeat("v", 20_000))})
	for _, b := range [][]byte{nil, {0}, {5, 3, 'a', 'b', 'c'}, {1, 200}, {255}, bytes.Repeat([]byte{255}, 30)} {
		if r, ok := decodeRecord(b); ok {
			t.Errorf("%v is read as %+v", b, r)
		}
	}
}

// A spool that cannot be written refuses requests, or answers them as not logged. It is said in the
// log, and it ends when the spool can be written again.
func TestASpoolThatCannotBeWrittenPromisesNothing(t *testing.T) {
	dir := t.TempDir() + "/spool"
	p := publishing(t, func(c *Config) { c.Spool = dir })
	if w := post(p.Scorer, askedPlain(0, ""), ""); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	whole := p.log.spool.Spool
	p.log.spool.Spool = breakSpool(t)
	for n := 1; n < 4; n++ {
		w := post(p.Scorer, askedPlain(n, ""), "")
		if a := parseAnswer(t, w.Body.Bytes()); w.Code != 503 || a.Error.Code != "spool_unwritable" || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), dir) {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
	}
	w := post(p.Scorer, strings.Replace(askedPlain(9, ""), "{", `{"log":"best_effort",`, 1), "")
	if a := parseAnswer(t, w.Body.Bytes()); w.Code != 200 || !is(a.Logged, false) {
		t.Errorf("best effort: %d %s", w.Code, w.Body)
	}
	p.log.spool.Spool = whole
	if w := post(p.Scorer, askedPlain(1, ""), ""); w.Code != 200 {
		t.Errorf("afterwards: %d %s", w.Code, w.Body)
	}
	p.stop()
	if n := strings.Count(p.lines.String(), "the spool cannot be written"); n != 1 {
		t.Errorf("the log says it %d times, want once in a while:\n%s", n, p.lines)
	}
	if n := len(readAll(t, p.client, event.TopicPredictions)); n != 2 {
		t.Errorf("%d predictions are on the topic, want 2", n)
	}
}

func TestASpoolInUseIsRefusedByName(t *testing.T) {
	dir := t.TempDir()
	p := publishing(t, func(c *Config) { c.Spool = dir })
	cfg := p.cfg
	for _, f := range []struct{ dir, want string }{{dir, "another process uses"}, {dir + "/lock", "cannot be used"}} {
		cfg.Spool = f.dir
		_, err := New(cfg, Deps{Client: p.client, Logger: slog.New(slog.DiscardHandler)}, nil)
		var wrong *field.Error
		if !errors.As(err, &wrong) || wrong.Field != "scorer.spool" || !strings.Contains(wrong.Reason, f.want) || !strings.Contains(wrong.Reason, f.dir) {
			t.Errorf("%s: %v", f.dir, err)
		}
	}
}

// A damaged record of the spool is counted, and named by its place.
func TestADamagedRecordOfTheSpoolIsCounted(t *testing.T) {
	dir := t.TempDir()
	p := publishing(t, func(c *Config) { c.Spool, c.Drain = dir, 0 })
	p.broker.Refuse(p.client.Prefix()+event.TopicPredictions, true)
	for n := range 3 {
		post(p.Scorer, askedPlain(n, ""), "")
	}
	p.stop()
	path := dir + "/" + fmt.Sprintf("%016x.spool", 0)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[bytes.Index(text, []byte(`"r1"`))]++
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	next := publishingAt(t, p.broker, p.client.Prefix(), func(c *Config) { c.Spool = dir })
	if next.count(t, "damaged") != 1 || next.count(t, "replayed") != 2 || !strings.Contains(next.lines.String(), "file="+path) {
		t.Errorf("%v damaged, %v replayed\n%s", next.count(t, "damaged"), next.count(t, "replayed"), next.lines)
	}
	p.broker.Refuse(p.client.Prefix()+event.TopicPredictions, false)
	next.stop()
	if n := len(readAll(t, p.client, event.TopicPredictions)); n != 2 {
		t.Errorf("%d predictions are on the topic, want 2", n)
	}
}

// breakSpool returns a spool whose folder is gone.
func breakSpool(t *testing.T) *spool.Spool {
	t.Helper()
	dir := t.TempDir() + "/gone"
	s, _, err := spool.Open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	return s
}
