package embedded

import (
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/clickloop/clickloop/stream"
)

// kindOf is one for two kinds of keys, p:{KEY} and o:{KEY}.
func kindOf(key string) string {
	kind, _, found := strings.Cut(key, ":{")
	if !found {
		return ""
	}
	return kind
}

func TestTheKeysWrittenLongestAgoLeave(t *testing.T) {
	m := miniredis.RunT(t)
	w := newWritten(kindOf)
	write := func(keys ...string) {
		w.note(nil, "EVALSHA", append([]string{"sha", strconv.Itoa(len(keys))}, append(keys, "argument")...)...)
		for _, key := range keys {
			m.HSet(key, "f", "1")
			m.SetTTL(key, time.Hour)
		}
	}
	write("p:position:x")
	for i := range 1000 {
		write("p:{" + strconv.Itoa(i) + "}")
		if i < 50 {
			write("o:{" + strconv.Itoa(i) + "}")
		}
	}
	write("p:{0}", "p:{1}")
	if n := w.evict(m, 100); n != 900 {
		t.Errorf("%d keys left, want 900", n)
	}
	for key, want := range map[string]bool{"p:position:x": true, "p:{0}": true, "p:{1}": true, "p:{2}": false, "p:{901}": false, "p:{902}": true, "p:{999}": true, "o:{0}": true} {
		if m.Exists(key) != want {
			t.Errorf("%s exists: %v, want %v", key, !want, want)
		}
	}
	write("p:{2}") // one that has left is as if it had never been
	if got := m.HGet("p:{2}", "f"); got != "1" || m.TTL("p:{2}") != time.Hour {
		t.Errorf("a key that is written again has %q, ttl %v", got, m.TTL("p:{2}"))
	}
	m.FastForward(2 * time.Hour) // all leave by their time to live
	for i := range 200 {
		write("p:{again" + strconv.Itoa(i) + "}")
	}
	w.evict(m, 100)
	versions := keyVersions(m)
	if versions == nil {
		t.Fatal("this miniredis has no table keyVersion of type map[string]uint: find how it forgets deleted keys now")
	}
	if len(versions) > 160 || len(w.at) > 160 { // 100 of one kind, 50 of the other, the positions
		t.Errorf("of 150 keys the server remembers %d, and their order %d", len(versions), len(w.at))
	}
}

func size(t *testing.T, dir string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			info, statErr := d.Info()
			sum, err = sum+info.Size(), statErr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// Also after a restart, when no topic is created; and only when the caller trims.
func TestTheLogKeepsItsBounds(t *testing.T) {
	dir := t.TempDir()
	for round := range 2 {
		s, err := Start(Config{Dir: dir, KafkaPort: -1, NoRedis: true, Bounds: Bounds{PartitionBytes: 1 << 20, SegmentBytes: 256 << 10}})
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
		before := s.FirstOffsets("a")
		for i := range 300 {
			if err := c.Produce(t.Context(), "a", []stream.Record{{Value: []byte(strings.Repeat(strconv.Itoa(i), 5000))}}); err != nil {
				t.Fatal(err)
			}
		}
		full := size(t, dir)
		if full < 3<<20 || s.FirstOffsets("a") != before {
			t.Errorf("round %d: before it is trimmed, the folder has %d bytes and begins at %d", round, full, s.FirstOffsets("a"))
		}
		s.Trim()
		if kept := size(t, dir); kept > 1<<20+512<<10 {
			t.Errorf("round %d: the folder has %d bytes of %d, want about a megabyte", round, kept, full)
		}
		ranges, err := c.Offsets(t.Context(), "a")
		if err != nil || ranges[0].First == before || ranges[0].First != s.FirstOffsets("a") || ranges[0].End != int64(300*(round+1)) {
			t.Errorf("round %d: %v, %v", round, ranges, err)
		}
		_ = c.Close()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
