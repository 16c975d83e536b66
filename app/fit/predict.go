package fit

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/metrics"
	"github.com/clickloop/clickloop/model"
)

// Predictor predicts the rows of files, and learns nothing. A row need not have a label.
type Predictor struct {
	Files   *Files
	ID      string   // column that names rows; empty: none does
	Inputs  []string // columns that the network was made with; without any, those that it knows
	Classes []string // of a softmax

	net     *model.Net
	scratch *model.Scratch
	p       []float64
	x       []model.Feature
	met     map[string]bool
	unknown []string
}

// Prediction is what a network says of a row.
type Prediction struct {
	Place
	ID      string
	P       []float64 // one, or one a class
	Y       float64   // the label, or the number of its class
	W       float64   // importance
	Labeled bool
}

// NewPredictor returns a Predictor over net.
func NewPredictor(net *model.Net, f *Files) *Predictor {
	return &Predictor{Files: f, net: net, scratch: net.NewScratch(), met: map[string]bool{}}
}

// File predicts a file's rows in order. What fn gets is valid until it returns.
func (p *Predictor) File(ctx context.Context, path string, fn func(*Prediction) error) (skipped int64, err error) {
	p.Files.labels = labels{}
	src, err := table.Open(path, p.options())
	if err != nil {
		return 0, err
	}
	one := Prediction{Place: Place{File: path}}
	for rec, err := range src.Rows() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return skipped + src.Skipped(), err
		}
		one.Row++
		one.Line, one.W = rec.Line, rec.Weight
		if err = p.row(&one, rec, src.Format()); err != nil && p.Files.SkipBad {
			skipped++
			continue
		}
		if err == nil {
			err = fn(&one)
		}
		if err != nil {
			return skipped + src.Skipped(), fmt.Errorf("%s: %w", rec.Place(), err)
		}
	}
	return skipped + src.Skipped(), nil
}

// options are those of the files; columns are read as they look also where nobody named a label.
func (p *Predictor) options() table.Options {
	f := p.Files
	o := f.options()
	if f.Columns == nil {
		f.Columns = table.NewColumns()
	}
	f.Columns.Raw(f.Drop...)
	f.Columns.Raw(f.Left...)
	o.Columns = f.Columns
	return o
}

// row predicts a record.
func (p *Predictor) row(one *Prediction, rec *table.Row, format string) (err error) {
	one.ID, one.Labeled = "", false
	var inputs event.Fields
	switch fields := rec.Fields; {
	case format == "vw":
		if inputs = fields; rec.HasY {
			one.Labeled = true
			one.Y, err = p.Files.vwLabel(rec.Label)
		}
	case p.Files.Label == "" && topicLike(fields):
		if inputs = p.topicInputs(fields); hasField(fields, "y") {
			one.Labeled = true
			one.Y, err = p.Files.topicLabel(fields)
		}
	default:
		inputs, err = p.inputs(one, fields)
	}
	if err != nil {
		return err
	}
	if v, ok := rec.Fields.Lookup(p.ID); ok {
		one.ID = v.Text()
	} else if p.ID != "" {
		return fmt.Errorf("there is no column %q for the row's id, only %s", p.ID, names(rec.Fields))
	}
	p.x = features.Encode(p.x[:0], inputs)
	if len(p.Classes) > 0 {
		p.p = p.net.PredictClasses(p.p[:0], p.x, p.scratch)
	} else {
		p.p = append(p.p[:0], p.net.Predict(p.x, p.scratch))
	}
	one.P = p.p
	return nil
}

// inputs takes the label from fields, and what is no input.
func (p *Predictor) inputs(one *Prediction, fields event.Fields) (kept event.Fields, err error) {
	for _, f := range fields {
		switch {
		case f.Name == p.Files.Label:
			if one.Labeled = f.Value.Kind != event.Null; one.Labeled {
				if one.Y, err = p.Files.label(f.Value); err != nil {
					return nil, err
				}
			}
		case p.Files.dropped(f.Name) || !p.known(f.Name):
		default:
			kept = append(kept, f)
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("none of the columns %s is one that the model was made with: is it the right model?", names(fields))
	}
	return kept, nil
}

// known says whether a column, or the one that it is a part of, is an input of the network.
func (p *Predictor) known(name string) bool {
	known, met := p.met[name]
	if !met {
		switch {
		case len(p.Inputs) > 0:
			known = slices.Contains(p.Inputs, name) || p.part(name)
		case p.net.Occupancy().Fields >= p.net.Config().MaxFields: // those beyond share one
			known = true
		default:
			known = p.net.Knows(model.FieldHash(name))
		}
		if p.met[name] = known; !known && name != p.ID && !p.part(name) {
			p.unknown = append(p.unknown, name)
		}
	}
	return known
}

// part says whether a field is a part of a column, such as posted.hour.
func (p *Predictor) part(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	return dot > 0 && p.Files.Columns.Column(name) == nil && p.Files.Columns.Column(name[:dot]).Expands()
}

// topicLike says whether fields are an example of a topic.
func topicLike(fields event.Fields) bool {
	for _, f := range fields {
		if f.Name == "prediction" || strings.HasPrefix(f.Name, "features.") {
			return true
		}
	}
	return false
}

func (p *Predictor) topicInputs(fields event.Fields) (inputs event.Fields) {
	for _, f := range fields {
		if name, ok := strings.CutPrefix(f.Name, "features."); ok && !p.Files.dropped(name) {
			inputs = append(inputs, event.Field{Name: name, Value: f.Value})
		}
	}
	return inputs
}

func hasField(fields event.Fields, name string) bool {
	_, ok := fields.Lookup(name)
	return ok
}

// Unknown are the columns that the network was not made with, and were left out.
func (p *Predictor) Unknown() []string { return p.unknown }

// Missing are the columns that the network was made with and no row had.
func (p *Predictor) Missing() (names []string) {
	for _, name := range p.Inputs {
		if len(p.met) > 0 && !p.met[name] {
			names = append(names, name)
		}
	}
	return names
}

// Judge measures predictions of rows that have a label.
type Judge struct {
	yes     *metrics.Accumulator
	classes *metrics.Classes
	names   []string
	rows    int64
}

// NewJudge returns a Judge; names are the classes of a softmax.
func NewJudge(names []string) *Judge {
	if len(names) > 0 {
		return &Judge{classes: metrics.NewClasses(len(names)), names: names}
	}
	return &Judge{yes: metrics.New()}
}

// Add counts a prediction.
func (j *Judge) Add(p *Prediction) {
	j.rows++
	switch {
	case !p.Labeled:
	case j.classes != nil:
		j.classes.Add(p.P, int(p.Y), p.W)
	default:
		j.yes.Add(p.P[0], p.Y, p.W)
	}
}

// Rows is how many predictions were counted, with a label or without.
func (j *Judge) Rows() int64 { return j.rows }

// Result is a TestResult, or a ClassTest of a softmax.
func (j *Judge) Result(path string, skipped int64) any {
	if j.classes != nil {
		return &ClassTest{path, skipped, measured(j.classes, j.names)}
	}
	t := testResult(path, j.yes)
	t.Skipped = skipped
	return &t
}

// Version names the network, and its learned state.
func Version(objective string, net *model.Net) (version, weights string) {
	h := net.Hash()
	return event.ModelVersion(objective, net.Examples()), "sha256:" + hex.EncodeToString(h[:])
}
