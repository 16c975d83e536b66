package fit

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/metrics"
	"github.com/clickloop/clickloop/model"
)

// Files says how bare files are read.
type Files struct {
	Format string
	Label  string // column; without one, an example's y, or the label of vw
	// values of the label that mean yes; without any, numbers above 0 and words such as yes and
	// true do
	Positive []string
	Drop     []string
	Left     []string       // columns that were left out when the network was made
	Encoding string         // of the text; empty: UTF-8
	Columns  *table.Columns // how columns are read; nil: as they look
	SkipBad  bool
	Holdout  int // each so manieth example is predicted and not learned; 0 for none

	classes []string       // that the label names; empty: it says yes or no
	index   map[string]int // of classes

	rows   int          // of a block; 0: blockRows
	bytes  atomic.Int64 // read so far, of all files
	met    []bool       // by name in Drop
	labels labels       // of the file that is read
	leaks  leaks        // of inputs
}

// dropped says whether a column is to be left out.
func (f *Files) dropped(name string) bool {
	i := slices.Index(f.Drop, name)
	if i < 0 {
		return slices.Contains(f.Left, name)
	}
	if len(f.met) < len(f.Drop) {
		f.met = make([]bool, len(f.Drop))
	}
	f.met[i] = true
	return true
}

// Unmet are the names in Drop that no column had, as far as files were read: a name that is
// misspelt leaves its column in.
func (f *Files) Unmet() (names []string) {
	for i, name := range f.Drop {
		if i >= len(f.met) || !f.met[i] {
			names = append(names, name)
		}
	}
	return names
}

// Bytes is how many bytes of the files were read so far, packed as they are.
func (f *Files) Bytes() int64 { return f.bytes.Load() }

// options say how a file is opened.
func (f *Files) options() table.Options {
	o := table.Options{Format: f.Format, SkipBad: f.SkipBad, Encoding: f.Encoding, Counter: &f.bytes}
	if f.Label != "" { // examples of a topic have been read already
		if f.Columns == nil {
			f.Columns = table.NewColumns()
		}
		f.Columns.Raw(f.Label)
		f.Columns.Raw(f.Drop...)
		f.Columns.Raw(f.Left...)
		o.Columns = f.Columns
	}
	return o
}

// example is a line, ready for the network.
type example struct {
	x []model.Feature
	y float64
	w float64

	place Place
}

// Place is where an example stands.
type Place struct {
	File string
	Line int
	Row  int // of the file's examples, from 1
}

// at names the example's line in an error.
func (e *example) at(err error) error { return placed(e.place.File, e.place.Line, err) }

// file reads one file into blocks.
func (r *reader) file(path string) error {
	f := r.files
	f.labels, r.row = labels{}, 0
	src, err := table.Open(path, f.options())
	if err != nil {
		return err
	}
	if src.Format() == "vw" {
		return r.vw(src, path)
	}
	defer func() { r.skipped += src.Skipped() }()
	if src.Format() == "csv" && f.Label != "" {
		return r.csv(src, path)
	}
	var e example
	for rec, err := range src.Rows() {
		if err != nil {
			return err
		}
		b, err := r.room(path)
		if err != nil {
			return err
		}
		r.row++
		e.x = b.slab
		if err := f.example(&e, rec); err != nil {
			if f.SkipBad {
				r.skipped++
				continue
			}
			return fmt.Errorf("%s: %w", rec.Place(), err)
		}
		b.slab = e.x
		b.end(e.y, e.w, rec.Line, r.row)
	}
	return nil
}

// example makes e from a record of named fields; its features are appended to e.x.
func (f *Files) example(e *example, rec *table.Row) error {
	e.w = rec.Weight
	fields := rec.Fields
	if f.Label == "" {
		return f.topicExample(e, fields)
	}
	kept := fields[:0]
	found := false
	for _, x := range fields {
		switch {
		case x.Name == f.Label:
			y, err := f.label(x.Value)
			if err != nil {
				return err
			}
			e.y, found = y, true
		case !f.dropped(x.Name):
			kept = append(kept, x)
		}
	}
	if !found {
		return fmt.Errorf("there is no column %q for the label, only %s", f.Label, names(kept))
	}
	if e.x = features.Encode(e.x, kept); len(f.classes) == 0 {
		f.leaks.fields(kept, encoded, e.y)
	}
	return nil
}

// encoded is the first feature of a value.
func encoded(v *event.Value) model.Feature {
	var room [1]model.Feature
	return features.EncodeValue(room[:0], 0, v)[0]
}

// Suspects are columns that most likely are known only after the outcome, as the first rows look.
func (f *Files) Suspects() []Suspect { return f.leaks.suspects() }

// topicExample reads what the examples topic holds: y, w and features.
func (f *Files) topicExample(e *example, fields event.Fields) error {
	var err error
	if e.y, err = f.topicLabel(fields); err != nil {
		return err
	}
	if w, ok := fields.Lookup("w"); ok {
		if e.w = w.Num; w.Kind != event.Number {
			return fmt.Errorf("w is %.60q, want a number: it is the example's weight", w.Text())
		} else if math.Abs(e.w) > event.MaxWeight {
			return fmt.Errorf("w is %v, want a weight of at most %v", e.w, event.MaxWeight)
		}
	}
	var named event.Fields
	_, from := fields.Lookup("prediction") // of a topic, where an example may have no features
	for _, x := range fields {
		name, ok := strings.CutPrefix(x.Name, "features.")
		if from = from || ok; ok && !f.dropped(name) {
			named = append(named, event.Field{Name: name, Value: x.Value})
		}
	}
	if !from { // other data that has a y: without this it would learn nothing, and not say so
		return fmt.Errorf("there are no features: name the label's column with --label; there are %s", names(fields))
	}
	e.x = features.Encode(e.x, named)
	return nil
}

// topicLabel is the label of an example of a topic; with classes it is a class's number.
func (f *Files) topicLabel(fields event.Fields) (float64, error) {
	if len(f.classes) > 0 {
		class, err := topicClass(fields)
		if err != nil {
			return 0, err
		}
		return f.class(class)
	}
	y, err := topicLabel(fields)
	switch {
	case err != nil:
	case y.Kind != event.Number:
		err = fmt.Errorf("y is %.60q, want 0 or 1, or name the label's column with --label; there are %s", y.Text(), names(fields))
	case y.Num != 0 && y.Num != 1:
		err = fmt.Errorf("y is %v, want 0 or 1: labels between them and other numbers are not supported", y.Num)
	}
	return y.Num, err
}

func names(f event.Fields) string {
	var all []string
	for i, x := range f {
		if i == 30 {
			all = append(all, "...")
			break
		}
		all = append(all, x.Name)
	}
	return strings.Join(all, ", ")
}

// Learn learns files one after another; a label is learned delay examples after its prediction.
func (r *Run) Learn(ctx context.Context, f *Files, paths []string, delay int) (skipped int64, err error) {
	if len(r.net.Config().Network) == 0 {
		f.rows = manyRows
	}
	if delay == 0 && f.Holdout == 0 {
		return f.pipeline(ctx, paths, r.learnBlock, r.judgeBlock)
	}
	d := &delayed[float64]{
		delay: delay, holdout: f.Holdout, rows: &r.progress.rows,
		predict: func(e *example) float64 { return r.net.Predict(e.x, r.scratch) },
		learn:   func(e *example, p float64) error { return r.learn(e.place, e.x, e.y, e.w, p) },
		keep: func(e *example, p float64) error {
			r.holdout.Add(p, e.y, e.w)
			return r.seen(e.place, p, e.y)
		},
	}
	return d.files(ctx, f, paths)
}

// delayed holds examples back until their labels are known; P is a prediction.
type delayed[P any] struct {
	delay   int
	holdout int
	rows    *atomic.Int64
	predict func(e *example) P
	learn   func(e *example, p P) error
	keep    func(e *example, p P) error // of holdout

	queue   []held[P]
	seen    int
	waiting int // in the queue, to be learned
}

type held[P any] struct {
	example
	p    P
	kept bool // from learning
}

func (d *delayed[P]) files(ctx context.Context, f *Files, paths []string) (skipped int64, err error) {
	if skipped, err = f.pipe(ctx, paths, func(b *block) error { return b.each(d.take) }); err != nil {
		return skipped, err
	}
	return skipped, d.release(0)
}

func (d *delayed[P]) take(e *example) error {
	d.rows.Add(1)
	d.seen++
	h := held[P]{example: *e, p: d.predict(e), kept: d.holdout > 0 && d.seen%d.holdout == 0}
	h.x = slices.Clone(e.x)
	if d.queue = append(d.queue, h); !h.kept {
		d.waiting++
	}
	return d.release(d.delay)
}

// release takes from the queue, in order, what need not wait when the labels of that many are
// unknown.
func (d *delayed[P]) release(unknown int) error {
	for len(d.queue) > 0 && (d.queue[0].kept || d.waiting > unknown) {
		h := &d.queue[0]
		d.queue = d.queue[1:]
		do := d.keep
		if !h.kept {
			d.waiting--
			do = d.learn
		}
		if err := do(&h.example, h.p); err != nil {
			return h.at(err)
		}
	}
	return nil
}

// Test predicts a file without learning from it.
func (r *Run) Test(ctx context.Context, f *Files, path string) (TestResult, error) {
	acc := metrics.New()
	skipped, err := f.pipe(ctx, []string{path}, func(b *block) error {
		return b.each(func(e *example) error {
			p := r.net.Predict(e.x, r.scratch)
			acc.Add(p, e.y, e.w)
			return r.seen(e.place, p, e.y)
		})
	})
	result := testResult(path, acc)
	result.Skipped = skipped
	return result, err
}
