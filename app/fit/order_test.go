package fit

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

func newRun(t *testing.T) *Run {
	t.Helper()
	net, err := model.New(model.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return NewRun("click", net)
}

// toy are rows of one text and a label.
func toy(rows int) (texts []string, labels []float64) {
	r := rand.New(rand.NewPCG(8, 8))
	for range rows {
		n := r.IntN(5)
		texts, labels = append(texts, fmt.Sprintf("v%d", n)), append(labels, float64(n%2))
	}
	return texts, labels
}

// oracle predicts rows one by one; before row i those up to known(i) are learned.
func oracle(t *testing.T, texts []string, labels []float64, known func(i int) int) (p []float64) {
	t.Helper()
	net := newRun(t).Net()
	scratch, learned := net.NewScratch(), 0
	x := func(i int) []model.Feature {
		return features.Encode(nil, event.Fields{{Name: "a", Value: event.Value{Kind: event.String, Str: texts[i]}}})
	}
	for i := range texts {
		for ; learned < known(i); learned++ {
			if _, err := net.Learn(x(learned), labels[learned], 1, scratch); err != nil {
				t.Fatal(err)
			}
		}
		p = append(p, net.Predict(x(i), scratch))
	}
	return p
}

// A prediction knows the labels of all rows but the last N, neither one more nor one less.
func TestALabelIsLearnedNExamplesAfterItsPrediction(t *testing.T) {
	texts, labels := toy(60)
	var text strings.Builder
	for i := range texts {
		fmt.Fprintf(&text, "%v |a %s\n", labels[i], texts[i])
	}
	path := fileOf(t, "a.vw", text.String())
	for _, delay := range []int{0, 1, 2, 7} {
		want := oracle(t, texts, labels, func(i int) int { return max(0, i-delay) })
		r, n := newRun(t), 0
		r.Observe(func(at Place, p, y float64) error {
			if p != want[n] || y != labels[n] || at != (Place{path, n + 1, n + 1}) {
				t.Errorf("delay %d: prediction %d is %v of %v at %v, want %v of %v", delay, n, p, y, at, want[n], labels[n])
			}
			n++
			return nil
		})
		if _, err := r.Learn(t.Context(), &Files{}, []string{path}, delay); err != nil || n != len(texts) {
			t.Errorf("delay %d: %d predictions, %v", delay, n, err)
		}
	}
}

// The third, sixth, ninth row and so on are kept from learning, and no others.
func TestEachNthExampleIsHeldOut(t *testing.T) {
	r := newRun(t)
	path := fileOf(t, "a.vw", strings.Repeat("0 |a x\n0 |a y\n1 |a z\n", 20))
	if _, err := r.Learn(t.Context(), &Files{Holdout: 3}, []string{path}, 0); err != nil {
		t.Fatal(err)
	}
	if result := r.Result(); result.Examples != 40 || result.Positives != 0 || result.Holdout == nil || result.Holdout.Examples != 20 {
		t.Errorf("%d learned, %d of them positive, holdout %+v", result.Examples, result.Positives, result.Holdout)
	}
}

// What was not learned, since the network diverged before it, is not judged either.
func TestWhatIsBehindADivergenceIsNotJudged(t *testing.T) {
	c := model.DefaultConfig()
	c.Network, c.Numbers = []string{"linear"}, "raw"
	net, err := model.New(c)
	if err != nil {
		t.Fatal(err)
	}
	r, n := NewRun("click", net), 0
	r.Observe(func(Place, float64, float64) error { n++; return nil })
	_, err = r.Learn(t.Context(), &Files{Label: "y"}, []string{fileOf(t, "a.csv", "a,y\n1e+30,1\n2,0\n1e+300,1\n-1e+30,0\n2,1\n")}, 0)
	if err == nil || n != 2 {
		t.Errorf("%d judged, %v", n, err)
	}
}

// describedRows writes a recording of rows a second apart.
func describedRows(t *testing.T, texts []string, labels []float64, events string) *recording.Recording {
	t.Helper()
	dir := t.TempDir()
	var rows strings.Builder
	rows.WriteString("a,y\n")
	for i := range texts {
		fmt.Fprintf(&rows, "%s,%v\n", texts[i], labels[i])
	}
	description := "{name: toy, files: [rows.csv], format: csv, label: \"y\", positive: \"1\", tick: 5s, every: 1s, objective: {name: click, window: 10s}, events: [" + events + "]}"
	for name, text := range map[string]string{"rows.csv": rows.String(), recording.File: description} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rec, err := recording.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// A row knows the labels whose windows have ended when its tick begins, that moment included.
func TestALabelIsLearnedAtTheTickAtWhichItsWindowEnds(t *testing.T) {
	texts, labels := toy(60)
	rec := describedRows(t, texts, labels, "{type: click, when: positive, delay: 3s}")
	want := oracle(t, texts, labels, func(i int) int { return max(0, i-i%5-10+1) })
	r, n := newRun(t), 0
	r.Observe(func(at Place, p, y float64) error {
		if p != want[n] || y != labels[n] || at.Row != n+1 {
			t.Errorf("row %d is %v of %v, want %v of %v", at.Row, p, y, want[n], labels[n])
		}
		n++
		return nil
	})
	if err := r.Recording(t.Context(), rec, features.Config{Context: []string{"*"}, Drop: []string{"ad"}}, 0); err != nil || n != len(texts) {
		t.Errorf("%d predictions, %v", n, err)
	}
}

// An event that comes twice under one id counts once in profiles.
func TestARepeatedEventOfARecordingCountsOnce(t *testing.T) {
	texts, labels := toy(80)
	one := "{type: click, when: positive, delay: 3s}"
	weights := func(events string) string {
		r := newRun(t)
		cfg := features.Config{Context: []string{"*"}, Profiles: []features.ProfileConfig{{Name: "ad.clicks", Entity: "ad", Aggregate: "count", Event: "click", Window: "1h"}}}
		if err := r.Recording(t.Context(), describedRows(t, texts, labels, events), cfg, 0); err != nil {
			t.Fatal(err)
		}
		return r.Result().Weights
	}
	if once, twice := weights(one), weights(one+", {type: click, when: positive, delay: 4s}"); once != twice {
		t.Errorf("weights %s with an event once, %s with it twice", once, twice)
	}
	if once, other := weights(one), weights(one+", {type: page, when: always, delay: 4s}"); once != other {
		t.Errorf("an event that nothing counts changes the weights: %s, %s", once, other)
	}
}

// A column remembers short cells only, so that long texts do not pile up.
func TestLongCellsAreNotRemembered(t *testing.T) {
	columns := []column{{memos: make([]memo, memoCells), as: &table.Column{Name: "a"}}}
	var b block
	var parts event.Fields
	for _, n := range []int{memoBytes, memoBytes + 1, 10 * memoBytes} {
		if _, err := (&Files{}).cells(&b, columns, []string{strings.Repeat("x", n)}, &parts, nil); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	for _, m := range columns[0].memos {
		kept += len(m.text)
	}
	if kept != memoBytes {
		t.Errorf("%d bytes are remembered, want %d", kept, memoBytes)
	}
}
