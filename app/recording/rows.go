package recording

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/event"
)

// Row is one recorded request, with what followed it.
type Row struct {
	N         int64 // from 1
	Time      event.Time
	Request   string
	User      string
	Anonymous string
	Ad        string
	Campaign  string
	Context   event.Fields
	Weight    float64 // importance of the row, 1 unless vw says otherwise
	Positive  bool
	Label     string
	Events    []event.Event
}

// Rows yields every row in order; an error ends them. Rows that go back in time, and a recording of
// which no label is positive, are errors: a label's window and what counts as its past would mean
// nothing, and a misspelt value would look like bad luck.
func (r *Recording) Rows() iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		var n, positives int64
		var last event.Time
		// decided anew each time that the data is read, from the same rows
		columns, err := r.newColumns()
		if err != nil {
			yield(nil, err)
			return
		}
		r.columns.Store(columns)
		for _, file := range r.cfg.Files {
			src, err := table.Open(r.path(file), table.Options{Format: r.cfg.Format, Separator: r.cfg.Separator, Encoding: r.cfg.Encoding, Columns: columns})
			if err != nil {
				yield(nil, err)
				return
			}
			first := true
			for rec, err := range src.Rows() {
				if err != nil {
					yield(nil, err)
					return
				}
				n++
				row, err := r.row(n, rec, columns)
				if err == nil && first {
					err = r.checkColumns(rec.Fields)
				}
				if err == nil && row.Time < last {
					err = fmt.Errorf("the row's time %s is earlier than that of the row before it, %s: sort the data by time", row.Time, last)
				}
				if err != nil {
					yield(nil, fmt.Errorf("%s: %w", rec.Place(), err))
					return
				}
				if row.Positive {
					positives++
				}
				first, last = false, row.Time
				if !yield(row, nil) {
					return
				}
			}
		}
		if n > 0 && positives == 0 && r.cfg.Format != "vw" {
			yield(nil, fmt.Errorf("%s: none of %d rows has the label %s = %s: is `positive` spelt as the data spells it?", File, n, r.cfg.Label, strings.Join(r.cfg.Positive, " or ")))
		}
	}
}

// newColumns says how columns are read: as the description says, else as they look. Ids, times,
// labels and amounts are no inputs; ids are kept as they are written.
func (r *Recording) newColumns() (*table.Columns, error) {
	c := &r.cfg
	columns := table.NewColumns()
	var ids []string
	if c.User != "" {
		ids = append(ids, c.User)
	}
	for _, setting := range []string{c.Ad, c.Campaign} {
		if name, ok := strings.CutPrefix(setting, columnPrefix); ok {
			ids = append(ids, name)
		}
	}
	if err := columns.Set(table.Tokens, ids...); err != nil {
		return nil, err
	}
	columns.Raw(c.Label, c.Time)
	columns.Raw(c.Drop...)
	for _, e := range c.Events {
		columns.Raw(e.Value)
	}
	for _, x := range []struct {
		as    table.Reading
		names []string
	}{{table.Texts, c.Text}, {table.Tokens, c.Token}, {table.Numbers, c.Number}, {table.Dates, c.Date}} {
		if err := columns.Set(x.as, x.names...); err != nil {
			return nil, fmt.Errorf("%s: %w", x.as, err)
		}
	}
	return columns, nil
}

// Notices say how columns are read that nobody named, as far as the data was read last.
func (r *Recording) Notices() []string {
	if columns := r.columns.Load(); columns != nil {
		return columns.Notices()
	}
	return nil
}

// checkColumns makes sure that the columns of a CSV file that recording.yaml names are there; other
// formats need not have every field in every row.
func (r *Recording) checkColumns(have event.Fields) error {
	c := &r.cfg
	if c.Format != "csv" {
		return nil
	}
	named := map[string][]string{"drop": c.Drop, "user": {c.User}, "time": {c.Time}, "text": c.Text, "token": c.Token, "number": c.Number, "date": c.Date}
	for field, setting := range map[string]string{"ad": c.Ad, "campaign": c.Campaign} {
		if name, ok := strings.CutPrefix(setting, columnPrefix); ok {
			named[field] = []string{name}
		}
	}
	for i, e := range c.Events {
		named[fmt.Sprintf("events[%d]", i)] = append(slices.Clone(e.Context), e.Value)
	}
	for _, field := range slices.Sorted(maps.Keys(named)) {
		for _, name := range named[field] {
			if _, ok := have.Lookup(name); name != "" && !ok {
				return fmt.Errorf("%s names column %q, which the file has not: correct %s", field, name, File)
			}
		}
	}
	return nil
}

// row makes the request and events of record n.
func (r *Recording) row(n int64, rec *table.Row, columns *table.Columns) (*Row, error) {
	c := &r.cfg
	row := &Row{N: n, Request: fmt.Sprintf("%s-%08d", r.name, n), Weight: rec.Weight}
	row.Time = r.start + event.Time(n-1)*event.Time(c.Every.Milliseconds())
	if c.Format == "vw" {
		if !rec.HasY {
			return nil, errors.New("the label is missing, want LABEL |NAMESPACE FEATURE")
		}
		row.Label = strconv.FormatFloat(rec.Label, 'g', -1, 64)
		switch {
		case len(c.Positive) > 0:
			row.Positive = table.Means(c.Positive, event.Value{Kind: event.Number, Num: rec.Label})
		case rec.Label != 1 && rec.Label != 0 && rec.Label != -1:
			return nil, fmt.Errorf("the label is %s, want 0 or 1, or -1 or 1: say with positive in %s which numbers mean yes, such as \">0\"; numbers as targets are not supported", row.Label, File)
		default:
			row.Positive = rec.Label == 1
		}
	}
	row.Ad, row.Campaign = r.constant(c.Ad, rec.Fields), r.constant(c.Campaign, rec.Fields)
	if row.Ad == "" {
		return nil, fmt.Errorf("column %s is empty, want the ad", strings.TrimPrefix(c.Ad, columnPrefix))
	}
	for _, f := range rec.Fields {
		text := f.Value.Text()
		switch {
		case c.Label != "" && f.Name == c.Label:
			row.Label, row.Positive = text, table.Means(c.Positive, f.Value)
			continue
		case c.Time != "" && f.Name == c.Time:
			t, err := parseTime(text)
			if err != nil {
				return nil, fmt.Errorf("column %s is %q, want a time such as 2019-11-24T00:01:03.979Z", c.Time, text)
			}
			row.Time = t
			continue
		case c.User != "" && f.Name == c.User:
			row.User = text
			continue
		case c.Ad == columnPrefix+f.Name || c.Campaign == columnPrefix+f.Name || slices.Contains(c.Drop, f.Name):
			continue
		}
		row.Context = append(row.Context, f)
	}
	if c.Format != "vw" && row.Label == "" {
		return nil, fmt.Errorf("there is no column %s, or it is empty: it should hold the label", c.Label)
	}
	columns.Ages(row.Context, row.Time)
	r.addEvents(row, rec.Fields)
	return row, nil
}

// columnPrefix marks a setting that names a column instead of a constant.
const columnPrefix = "column:"

func (r *Recording) constant(setting string, f event.Fields) string {
	name, ok := strings.CutPrefix(setting, columnPrefix)
	if !ok {
		return setting
	}
	v, _ := f.Lookup(name)
	return v.Text()
}

// parseTime takes RFC 3339, and the form with a space that data tools write.
func parseTime(s string) (event.Time, error) {
	return event.ParseTime(strings.Replace(s, " ", "T", 1))
}

// addEvents makes what followed a row.
func (r *Recording) addEvents(row *Row, columns event.Fields) {
	for _, s := range r.cfg.Events {
		if s.When == "positive" && !row.Positive {
			continue
		}
		at := row.Time.Add(s.Delay)
		e := event.Event{
			ID: row.Request + "-" + s.Type, Type: s.Type, Time: at, Received: at, User: row.User, Anonymous: row.Anonymous,
			Prediction: event.PredictionID(row.Request, 0), Request: row.Request, Ad: row.Ad, Campaign: row.Campaign,
		}
		for _, name := range s.Context {
			if v, ok := columns.Lookup(name); ok {
				e.Context = append(e.Context, event.Field{Name: name, Value: v})
			}
		}
		if v, ok := columns.Lookup(s.Value); ok && v.Kind == event.Number {
			e.Value = v.Num
		}
		row.Events = append(row.Events, e)
	}
}
