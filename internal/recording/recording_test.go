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
