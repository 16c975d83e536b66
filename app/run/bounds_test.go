package run_test

import (
	"bytes"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

func TestTheDataFolderIsForItsOwnerAlone(t *testing.T) {
	data := filepath.Join(t.TempDir(), "new", "data")
	l := start(t, func(c *config.Config) { c.Data = data })
	for _, topic := range event.Topics(config.Default().Objectives, 1) {
		if err := l.Client.Produce(t.Context(), topic.Name, []stream.Record{{Value: []byte("{}")}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil { // it writes checkpoints, and the state of the broker
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if files++; info.Mode().Perm() != want {
			t.Errorf("%s has the mode %v, want %v", path, info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Errorf("%d files, %v", files, err)
	}
}

// A folder with wider modes goes on working, and the log says how to mend it.
func TestAFolderThatOthersMayReadIsNamed(t *testing.T) {
	for mode, want := range map[fs.FileMode]bool{0o755: true, 0o700: false} {
		data := t.TempDir()
		if err := os.Chmod(data, mode); err != nil {
			t.Fatal(err)
		}
		cfg := config.Default()
		cfg.HTTP, cfg.Admin, cfg.Data = "127.0.0.1:0", "127.0.0.1:0", data
		var log bytes.Buffer
		l, err := run.Start(t.Context(), run.Options{Config: cfg, Embedded: true, AnyPort: true, Stages: []string{"ingest"}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if told := strings.Contains(log.String(), "chmod -R go= "+data); told != want {
			t.Errorf("mode %v: %s", mode, log.String())
		}
	}
}

func TestBoundsAreStated(t *testing.T) {
	text := start(t, nil).Bounds()
	for _, want := range []string{"24 MB of events", "48 MB of predictions", "512 MB of a network's weights", "50000 profiles", "50000 outcomes"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
}

// Nothing leaves in recorded time. When the clock turns to wall time, the oldest dead letters
// leave, and /readyz and the metrics name them.
func TestWhatLeavesIsNamedAndNothingLeavesDuringAReplay(t *testing.T) {
	l := start(t, func(c *config.Config) { c.Clock = config.ClockRecorded })
	for range 40 {
		if err := l.Client.Produce(t.Context(), event.TopicDeadLetter, []stream.Record{{Value: bytes.Repeat([]byte("x"), 800_000)}}); err != nil {
			t.Fatal(err)
		}
	}
	first := func() int64 {
		ranges, err := l.Client.Offsets(t.Context(), event.TopicDeadLetter)
		if err != nil {
			t.Fatal(err)
		}
		return ranges[0].First
	}
	time.Sleep(run.TrimEvery + run.TrimEvery/2) // time in which it would be trimmed
	if n := first(); n != 0 {
		t.Errorf("%d records left in recorded time", n)
	}
	l.SetRecorded(false)
	for began := time.Now(); first() == 0 && time.Since(began) < 10*run.TrimEvery; {
		time.Sleep(10 * time.Millisecond)
	}
	want := map[string]string{"/readyz": "embedded Kafka: the oldest records have left: ", "/metrics": `clickloop_embedded_trimmed_records_total{topic="deadletter"} 2`}
	for path, text := range want {
		for began := time.Now(); !strings.Contains(get(t, l, path), text); time.Sleep(10 * time.Millisecond) {
			if time.Since(began) > 10*time.Second {
				t.Fatalf("%s lacks %q: %s", path, text, get(t, l, path))
			}
		}
	}
	if n := first(); n < 19 || n > 22 {
		t.Errorf("%d records of 0.8 MB left, want those beyond 16 MB", n)
	}
}

func get(t *testing.T, l *run.Loop, path string) string {
	t.Helper()
	resp, err := http.Get("http://" + l.Admin + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
