package fit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/metrics"
	"github.com/clickloop/clickloop/model"
)

// Predictor predicts the rows of files and learns nothing. Rows need no label.
type Predictor struct {
	Files   *Files
	ID      string   // column of the rows' ids; empty: rows have none
	Inputs  []string // columns that the network was made with; empty: those that it knows
	Classes []string // of a softmax

	net     *model.Net
	scratch *model.Scratch
	p       []float64
	x       []model.Feature
	known   map[string]bool // whether a column that was met is an input
	unknown []string
}

// Prediction is a network's prediction of a row.
type Prediction struct {
	Place
	ID      string
	P       []float64 // one probability, or one for each class
	Y       float64   // the label, or the number of its class
	W       float64   // importance
	Labeled bool
}

// NewPredictor returns a Predictor over net.
func NewPredictor(net *model.Net, f *Files) *Predictor {
	return &Predictor{Files: f, net: net, scratch: net.NewScratch(), known: map[string]bool{}}
}

// File predicts a file's rows in order. A Prediction is valid until fn returns.
func (p *Predictor) File(ctx context.Context, path string, fn func(*Prediction) error) (skipped int64, err error) {
	p.Files.negatives = negatives{}
	src, err := table.Open(path, p.options())
	if err != nil {
		return 0, err
	}
	one := Prediction{Place: Place{File: path}}
	for row, err := range src.Rows() {
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return skipped + src.Skipped(), err
		}
		one.Row++
		one.Line, one.W = row.Line, row.Weight
		if err = p.predict(&one, row, src.Format()); err != nil && p.Files.SkipBad {
			skipped++
			continue
		}
		if err == nil {
			err = fn(&one)
		}
		if err != nil {
			return skipped + src.Skipped(), fmt.Errorf("%s: %w", row.Place(), err)
		}
	}
	return skipped + src.Skipped(), nil
}

// options returns how a file is opened. Columns have readings even without a named label.
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

// predict predicts a row.
func (p *Predictor) predict(one *Prediction, row *table.Row, format string) (err error) {
	one.ID, one.Labeled = "", false
	var inputs event.Fields
	switch fields := row.Fields; {
	case format == "vw":
		if inputs, one.Labeled = fields, row.HasY; row.HasY {
			one.Y, err = p.Files.vwLabel(row.Label)
		}
	case p.Files.Label == "" && topicLike(fields):
		inputs = p.Files.topicInputs(fields)
		if _, one.Labeled = fields.Lookup("y"); one.Labeled {
			one.Y, err = p.Files.topicLabel(fields)
		}
	default:
		inputs, err = p.inputs(one, fields)
	}
	if err != nil {
		return err
	}
	if v, ok := row.Fields.Lookup(p.ID); ok {
		one.ID = v.Text()
	} else if p.ID != "" {
		return fmt.Errorf("there is no column %q for the row's id, only %s", p.ID, names(row.Fields))
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

// inputs returns the fields that are inputs, and sets the label of one.
func (p *Predictor) inputs(one *Prediction, fields event.Fields) (kept event.Fields, err error) {
	for _, f := range fields {
		switch {
		case f.Name == p.Files.Label:
			if one.Labeled = f.Value.Kind != event.Null; one.Labeled {
				if one.Y, err = p.Files.label(f.Value); err != nil {
					return nil, err
				}
			}
		case p.Files.dropped(f.Name) || !p.isInput(f.Name):
		default:
			kept = append(kept, f)
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("none of the columns %s is one that the model was made with: is it the right model?", names(fields))
	}
	return kept, nil
}

// isInput reports whether a column, or the column that it is a part of, is an input of the network.
func (p *Predictor) isInput(name string) bool {
	known, met := p.known[name]
	if met {
		return known
	}
	switch {
	case len(p.Inputs) > 0:
		known = slices.Contains(p.Inputs, name) || p.isPart(name)
	case p.net.Occupancy().Fields >= p.net.Config().MaxFields: // the fields beyond share one
		known = true
	default:
		known = p.net.Knows(model.FieldHash(name))
	}
	if p.known[name] = known; !known && name != p.ID && !p.isPart(name) {
		p.unknown = append(p.unknown, name)
	}
	return known
}

// isPart reports whether a field is a part of a column, such as posted.hour.
func (p *Predictor) isPart(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	return dot > 0 && p.Files.Columns.Column(name) == nil && p.Files.Columns.Column(name[:dot]).Expands()
}

// Unknown returns the columns that were left out, since the network was not made with them.
func (p *Predictor) Unknown() []string { return p.unknown }

// Missing returns the columns that the network was made with and no row has.
func (p *Predictor) Missing() (names []string) {
	for _, name := range p.Inputs {
		if len(p.known) > 0 && !p.known[name] {
			names = append(names, name)
		}
	}
	return names
}

// Judge measures predictions of rows that have a label.
type Judge struct {
	yes     *metrics.Accumulator // nil for classes
	classes *metrics.Classes
	names   []string
	rows    int64
}

// NewJudge returns a Judge. names are the classes of a softmax, empty for other outputs.
func NewJudge(names []string) *Judge {
	if len(names) > 0 {
		return &Judge{classes: metrics.NewClasses(len(names)), names: names}
	}
	return &Judge{yes: metrics.New()}
}

// Add counts a prediction, and measures it if the row has a label.
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

// Rows returns the number of predictions, with a label or without.
func (j *Judge) Rows() int64 { return j.rows }

// Result returns a *TestResult, or a *ClassTest for a softmax.
func (j *Judge) Result(path string, skipped int64) any {
	if j.classes != nil {
		return &ClassTest{path, skipped, classMetrics(j.classes, j.names)}
	}
	t := testResult(path, skipped, j.yes)
	return &t
}
