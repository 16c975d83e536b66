package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestAReportSaysWhatItLacks(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("TMPDIR", t.TempDir())
	f := func(want string, status int, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		got := execute(t.Context(), append([]string{"report"}, args...), &out, &errs)
		if got != status || !strings.Contains(errs.String(), want) || out.Len() > 0 {
			t.Errorf("%q: status %d, want %d; %s%s", args, got, status, out.String(), errs.String())
		}
	}
	f("the file for the page goes behind --out", 2, "report.html")
	f("flag provided but not defined", 2, "--until", "2026-11-25")
	f("--kafka host:port", 1)
}
