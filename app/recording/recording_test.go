package recording

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDurationsThatTicksCannotBeMadeOfAreRefused(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		text := "name: r\nfiles: [d.csv]\nformat: csv\nlabel: y\npositive: \"1\"\nevents: [{type: click, when: positive}]\n" + line + "\n"
		if !strings.Contains(line, "window") {
			text += "objective: {name: click, window: 10s}\n"
		}
		path := filepath.Join(t.TempDir(), File)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		if want == "" && err != nil {
			t.Errorf("%s: %v, want none", line, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want an error with %q", line, err, want)
		}
	}
	f("tick: 1ms", "")
	f("tick: 100us", "tick is 100µs")
	f("tick: -2s", "tick is -2s")
	f("tick: 1500us", "tick is 1.5ms")
	f("every: -1s", "every is -1s")
	f("every: 10us", "every is 10µs")
	f("objective: {name: click, window: 10us}", "objective.window is 10µs")
}

// recordingOf writes a description and its data and returns the opened recording.
func recordingOf(t *testing.T, description, data string) *Recording {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{File: description, "d.csv": data} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const described = "name: r\nfiles: [d.csv]\nformat: csv\nlabel: y\npositive: \"1\"\nobjective: {name: click, window: 10s}\nevents: [{type: click, when: positive, delay: 3s, context: [a]}]\n"

func TestDataThatContradictsItsDescriptionIsRefused(t *testing.T) {
	f := func(extra, data, want string) {
		t.Helper()
		var got error
		for _, err := range recordingOf(t, described+extra, data).Rows() {
			got = err
		}
		if want == "" && got != nil || want != "" && (got == nil || !strings.Contains(got.Error(), want)) {
			t.Errorf("%q over %q: %v, want %q", extra, data, got, want)
		}
	}
	f("", "a,y\n7,1\n8,0\n", "")
	f("", "b,y\n7,1\n", `events[0] names column "a"`)
	f("drop: [nothing]\n", "a,y\n7,1\n", `drop names column "nothing"`)
	f("user: who\n", "a,y\n7,1\n", `user names column "who"`)
	f("ad: column:which\n", "a,y\n7,1\n", "column which is empty")
	f("", "a,y\n7,0\n8,0\n", "none of 2 rows has the label y = 1")
	f("", "a,z\n7,0\n", "there is no column y")
	f("time: t\n", "a,y,t\n7,1,2026-01-01T00:00:02Z\n7,0,2026-01-01T00:00:01Z\n", "d.csv:3: the row's time 2026-01-01T00:00:01.000Z is earlier")
	f("time: t\n", "a,y,t\n7,1,yesterday\n", `column t is "yesterday"`)
}

// Each event comes with the first tick that begins after it, and ticks go on until every window has
// passed.
func TestTicksGiveEveryRowAndEventOnceInOrder(t *testing.T) {
	data := "a,y,t\n1,1,2026-01-01T00:00:00Z\n2,0,2026-01-01T00:00:01Z\n3,1,2026-01-01T00:00:01Z\n4,1,2026-01-01T02:00:00Z\n"
	r := recordingOf(t, described+"time: t\ntick: 2s\n", data)
	var got []string
	for tick, err := range r.Ticks(r.Tick(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		line := tick.Start.String()[11:19]
		for _, e := range tick.Events {
			if e.Received >= tick.Start {
				t.Errorf("the tick of %s has an event of %s", tick.Start, e.Received)
			}
			line += " " + e.ID
		}
		for _, row := range tick.Rows {
			if row.Time < tick.Start || row.Time >= tick.End {
				t.Errorf("the tick of %s has a row of %s", tick.Start, row.Time)
			}
			line += " " + row.Request
		}
		if strings.Contains(line, " ") {
			got = append(got, line)
		}
	}
	want := []string{
		"00:00:00 r-00000001 r-00000002 r-00000003",
		"00:00:04 r-00000001-click",
		"00:00:06 r-00000003-click",
		"02:00:00 r-00000004",
		"02:00:04 r-00000004-click",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("ticks are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
