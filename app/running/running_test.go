package running

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
)

func TestWhatRunsIsFoundAndWhatHasEndedIsNot(t *testing.T) {
	runtime, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	if len(All()) != 0 || In(data) != nil {
		t.Fatal("something runs")
	}
	want := Up{PID: 41, Started: time.Unix(10, 0).UTC(), HTTP: "h:1", Kafka: []string{"k:1"}, Redis: "r:1", Prefix: "p.", Data: data, Objectives: []event.Objective{{Name: "click", Window: time.Hour}}}
	a, err := Announce(want)
	if err != nil {
		t.Fatal(err)
	}
	other := Up{PID: 40, Started: time.Unix(11, 0), Kafka: []string{"k:2"}}
	b, err := Announce(other)
	if err != nil {
		t.Fatal(err)
	}
	if all := All(); len(all) != 2 || all[0].PID != 41 || all[1].PID != 40 || all[0].Objectives[0].Window != time.Hour {
		t.Errorf("%+v", all)
	}
	if up := In(data); up == nil || up.Prefix != "p." || up.HTTP != "h:1" || up.Redis != "r:1" {
		t.Errorf("%+v", up)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if all := All(); len(all) != 1 || all[0].PID != 41 {
		t.Errorf("%+v", all)
	}
	for _, f := range a.files { // as if it were killed: the files stay, the locks go
		if err := f.file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(All()) != 0 || In(data) != nil {
		t.Error("what was killed is found")
	}
	for _, dir := range []string{filepath.Join(runtime, "clickloop"), data} {
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s has %v (%v)", dir, left, err)
		}
	}
}

// One that ends does not remove the file of the one that came after it.
func TestAFileThatWasReplacedStays(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	data := t.TempDir()
	a, err := Announce(Up{PID: 1, Kafka: []string{"k:1"}, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Announce(Up{PID: 2, Kafka: []string{"k:2"}, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if up := In(data); up == nil || up.PID != 2 {
		t.Errorf("%+v", up)
	}
	if err := b.Close(); err != nil || In(data) != nil {
		t.Errorf("%v, %+v", err, In(data))
	}
}

func TestOneFolderIsEnough(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", file)
	data := t.TempDir()
	a, err := Announce(Up{PID: 1, Kafka: []string{"k:1"}, Data: data})
	if err != nil || In(data) == nil || len(All()) != 0 {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Announce(Up{PID: 1, Kafka: []string{"k:1"}}); err == nil {
		t.Error("no file can be written, and nobody says so")
	}
	t.Setenv("XDG_RUNTIME_DIR", data)
	if err := os.Symlink(t.TempDir(), filepath.Join(data, "clickloop")); err != nil {
		t.Fatal(err)
	}
	if _, err := Announce(Up{PID: 1, Kafka: []string{"k:1"}}); err == nil {
		t.Error("a link that anybody may have made is followed")
	}
}
