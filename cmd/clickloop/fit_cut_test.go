package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/fit"
)

// bankRows are the header and the rows of bank-marketing.
func bankRows(t *testing.T) (header []byte, rows [][]byte) {
	t.Helper()
	f, err := os.Open(bank + "/bank-additional-full.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	lines[len(lines)-1] = append(slices.Clone(lines[len(lines)-1]), '\n')
	return lines[0], lines[1:]
}

// A real file that is cut at 20 random points into files of their own, each learned by a process
// that goes on from the model of the one before, gives the model file of one process that learned
// the whole; so does each network for a cut of its own.
func TestAFileCutAtTwentyPointsAndGoneOnWithIsOneRun(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	header, rows := bankRows(t)
	dir := t.TempDir()

	// learn runs fit over some rows and returns how many it learned.
	learn := func(rows [][]byte, model string, args ...string) int64 {
		t.Helper()
		file := filepath.Join(dir, "rows.csv")
		if err := os.WriteFile(file, append(slices.Clone(header), bytes.Join(rows, nil)...), 0o600); err != nil {
			t.Fatal(err)
		}
		var result fit.Result
		output(t, &result, append([]string{"fit", file, "--drop", "duration", "--json", "--out", model}, args...)...)
		return result.Examples
	}
	// check learns rows in one run and in parts, which end at cuts.
	check := func(name string, rows [][]byte, cuts []int, labels, network []string) {
		t.Helper()
		whole, parts := filepath.Join(dir, name+".whole"), filepath.Join(dir, name+".parts")
		if n := learn(rows, whole, append(slices.Clone(labels), network...)...); n != int64(len(rows)) {
			t.Fatalf("%s, seed %d: %d rows learned of %d", name, seed, n, len(rows))
		}
		slices.Sort(cuts)
		from, learned, more := 0, int64(0), network
		for _, cut := range append(cuts, len(rows)) {
			learned += learn(rows[from:cut], parts, append(slices.Clone(labels), more...)...)
			from, more = cut, []string{"--in", parts}
		}
		if learned != int64(len(rows)) {
			t.Errorf("%s, seed %d, cut at %v: %d rows learned of %d", name, seed, cuts, learned, len(rows))
		}
		if !bytes.Equal(readFile(t, whole), readFile(t, parts)) {
			t.Errorf("%s, seed %d, cut at %v: the model is another", name, seed, cuts)
		}
	}

	yes := []string{"--label", "y", "--positive", "yes"}
	cuts := rng.Perm(len(rows) - 1)[:20]
	for i := range cuts {
		cuts[i]++ // no part is empty
	}
	check("mixture", rows, cuts, yes, nil)
	for name, f := range map[string]struct{ labels, network []string }{
		"linear":  {yes, []string{"--network", "linear", "--cross", "job,month"}},
		"plain":   {yes, []string{"--network", "linear,ffm,mlp", "--seed", "7"}},
		"softmax": {[]string{"--label", "poutcome"}, []string{"--output", "softmax", "--network", "linear,mlp", "--classes", "failure,nonexistent,success"}},
	} {
		check(name, rows[:6000], []int{1 + rng.IntN(5999)}, f.labels, f.network)
	}
}
