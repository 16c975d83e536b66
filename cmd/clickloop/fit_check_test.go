package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const votes = "a,y\n1,yes\n2,no\n3,yes\n4,no\n"

// What can be known before learning, which may take hours, is told before.
func TestWhatWouldFailAfterLearningIsRefusedBefore(t *testing.T) {
	dir := t.TempDir()
	csv := writeFile(t, dir, "a.csv", votes)
	out := filepath.Join(dir, "a.model")
	pipe := filepath.Join(dir, "link")
	if err := os.Symlink(os.DevNull, pipe); err != nil {
		t.Fatal(err)
	}
	f := func(want string, args ...string) {
		t.Helper()
		status, printed, errs := said(t, append([]string{"fit", "--label", "y", "--out", out}, args...)...)
		if _, err := os.Stat(out); err == nil || status != 1 || printed != "" || !strings.Contains(errs, want) {
			t.Errorf("%v: status %d, %q %q, want %q and no model", args, status, printed, errs, want)
		}
		if string(readFile(t, csv)) != votes {
			t.Fatalf("%v: the data was written over", args)
		}
	}
	f("cannot read examples: ", csv, "--test", filepath.Join(dir, "none.csv"))
	f("cannot read examples: ", csv, filepath.Join(dir, "none.csv"))
	f("is a folder, want a file", csv, dir)
	f("- can be read only once, and --passes needs it again", "-", "--passes", "2")
	f("link can be read only once, and --passes needs it again", pipe, "--passes", "2")
	f("- is named twice", "-", "--test", "-")
	f("is a folder, want the name of a file", csv, "--out", dir)
	f("cannot write --out", csv, "--out", filepath.Join(dir, "none", "a.model"))
	f("a.csv would be written over", csv, "--out", csv)
	f("a.csv would be written over", csv, "--predictions", dir+"/./a.csv")
	f("a.model would be written over", csv, "--predictions", out)
	f("--limit is of recordings", csv, "--limit", "2")
	f("--delay, --holdout, --label is of files", bank, "--delay", "2", "--holdout", "3")
}

// The model is there even when a test fails, and what is no plain file is written to, not replaced.
func TestTheModelIsWrittenBeforeTests(t *testing.T) {
	dir := t.TempDir()
	csv, odd := writeFile(t, dir, "a.csv", votes), writeFile(t, dir, "odd.csv", "a,y\n1,perhaps\n")
	one, two := filepath.Join(dir, "one.model"), filepath.Join(dir, "two.model")
	if status, _, errs := said(t, "fit", csv, "--label", "y", "--out", one); status != 0 {
		t.Fatal(errs)
	}
	if status, _, errs := said(t, "fit", csv, "--label", "y", "--out", two, "--test", odd); status != 1 || !strings.Contains(errs, "odd.csv:2: ") {
		t.Errorf("status %d, %s", status, errs)
	}
	if !bytes.Equal(readFile(t, one), readFile(t, two)) {
		t.Error("the model is another when a test fails")
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		return
	}
	link := filepath.Join(dir, "full")
	if err := os.Symlink("/dev/full", link); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"--out", "--predictions"} {
		status, _, errs := said(t, "fit", csv, "--label", "y", flag, link)
		if to, err := os.Readlink(link); status != 1 || !strings.Contains(errs, "no space left") || err != nil || to != "/dev/full" {
			t.Errorf("%s on a full device: status %d, %s; it is now %q, %v", flag, status, errs, to, err)
		}
	}
}

func TestDataThatTeachesNothingIsTold(t *testing.T) {
	dir := t.TempDir()
	csv, empty := writeFile(t, dir, "a.csv", votes), writeFile(t, dir, "empty.csv", "a,y\n")
	numbers := writeFile(t, dir, "a.vw", "1 |f a\n1 |f b\n")
	f := func(want string, args ...string) {
		t.Helper()
		status, _, errs := said(t, append([]string{"fit"}, args...)...)
		if status != 0 || want == "" && errs != "" || !strings.Contains(errs, want) {
			t.Errorf("%v: status %d, %q, want %q", args, status, errs, want)
		}
	}
	f("", csv, "--label", "y")
	f("none of 4 labels is Yes, as --positive says", csv, "--label", "y", "--positive", "Yes")
	f("all of 2 labels mean yes", numbers)
	f("all of 2 labels mean yes", numbers, "--positive", "1.0")
	f("nothing was learned", empty, "--label", "y")
	f("nothing was learned", csv, "--label", "none", "--on-error", "skip")
	f("", bank, "--limit", "3")
}

func TestSkippedLinesAreCountedInPrint(t *testing.T) {
	csv := writeFile(t, t.TempDir(), "a.csv", votes+"5\n")
	_, out, _ := said(t, "fit", csv, "--label", "y", "--on-error", "skip", "--test", csv)
	if n := strings.Count(out, "malformed, skipped     1\n"); n != 2 {
		t.Errorf("told %d times in %s", n, out)
	}
}

// A model goes on with its own settings; a flag or a configuration that says the same may stay, one
// that does not is named.
func TestWhatContradictsAModelIsNamed(t *testing.T) {
	dir := t.TempDir()
	csv, made := writeFile(t, dir, "a.csv", votes), filepath.Join(dir, "made.model")
	rated := writeFile(t, dir, "rated.yaml", "model: {prior: 0.25}\n")
	ffm := writeFile(t, dir, "ffm.yaml", "model: {network: [ffm]}\n")
	f := func(want string, args ...string) {
		t.Helper()
		status, _, errs := said(t, append([]string{"fit", csv, "--label", "y"}, args...)...)
		if status != min(len(want), 1) || !strings.Contains(errs, want) {
			t.Errorf("%v: status %d, %q, want %q", args, status, errs, want)
		}
	}
	f("", "--config", rated, "--network", "linear", "--seed", "5", "--cross", "a,b", "--out", made)
	f("", "--in", made)
	f("", "--in", made, "--seed", "5")
	f("", "--in", made, "--network", "linear")
	f("", "--in", made, "--config", rated)
	f("", "--in", made, "--config", rated, "--cross", "a,b", "--table-bits", "20")
	f("--seed makes seed 6, and model", "--in", made, "--seed", "6", "--network", "linear")
	f("--table-bits makes table_bits 19, and model", "--in", made, "--table-bits", "19")
	f(`--cross makes cross [["a","c"]], and model`, "--in", made, "--cross", "a,c")
	f("the configuration has model.network [\"ffm\"], and model", "--in", made, "--config", ffm)
}
