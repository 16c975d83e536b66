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

// Row is a recorded request, its label, and the events that followed it.
type Row struct {
	N        int64 // from 1
	Time     event.Time
	Request  string
	User     string
	Ad       string
	Campaign string
	Context  event.Fields
	Weight   float64 // importance; 1 unless vw gives another
	Positive bool
	Label    string
	Events   []event.Event
}

// Rows yields every row in order. An error ends them.
//
// A row that is earlier than the row before it is an error: labels have windows of time, and
// features count the past. A recording without any positive label is an error too, since a misspelt
// value of `positive` would look like bad luck.
func (r *Recording) Rows() iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		var n, positives int64
		var last event.Time
		// decided in each iteration, from the same rows
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
			for source, err := range src.Rows() {
				if err != nil {
					yield(nil, err)
					return
				}
				n++
				row, err := r.row(n, source, columns)
				if err == nil && first {
					err = r.checkColumns(source.Fields)
				}
				if err == nil && row.Time < last {
					err = fmt.Errorf("the row's time %s is earlier than that of the row before it, %s: sort the data by time", row.Time, last)
				}
				if err != nil {
					yield(nil, fmt.Errorf("%s: %w", source.Place(), err))
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

// newColumns returns the readings of the columns: those that recording.yaml sets, else those that
// their first rows suggest. Ids are read as they are written. Times, labels and amounts are no
// inputs.
func (r *Recording) newColumns() (*table.Columns, error) {
	c := &r.cfg
	columns := table.NewColumns()
	var ids []string
	if c.User != "" {
		ids = append(ids, c.User)
	}
	for _, setting := range []string{c.Ad, c.Campaign} {
		if name := columnOf(setting); name != "" {
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
	for _, setting := range []struct {
		reading table.Reading
		names   []string
	}{{table.Texts, c.Text}, {table.Tokens, c.Token}, {table.Numbers, c.Number}, {table.Dates, c.Date}} {
		if err := columns.Set(setting.reading, setting.names...); err != nil {
			return nil, fmt.Errorf("%s: %w", setting.reading, err)
		}
	}
	return columns, nil
}

// Notices returns a line for each reading that the latest iteration decided, and for each odd cell.
func (r *Recording) Notices() []string {
	if columns := r.columns.Load(); columns != nil {
		return columns.Notices()
	}
	return nil
}

// checkColumns returns an error if a CSV file lacks a column that recording.yaml names. Rows of
// other formats need not have every field.
func (r *Recording) checkColumns(have event.Fields) error {
	c := &r.cfg
	if c.Format != "csv" {
		return nil
	}
	named := map[string][]string{
		"ad": {columnOf(c.Ad)}, "campaign": {columnOf(c.Campaign)}, "user": {c.User}, "time": {c.Time},
		"drop": c.Drop, "shown": c.Shown, "text": c.Text, "token": c.Token, "number": c.Number, "date": c.Date,
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

// row makes the request and events of the n-th row.
func (r *Recording) row(n int64, source *table.Row, columns *table.Columns) (*Row, error) {
	c := &r.cfg
	row := &Row{
		N: n, Request: fmt.Sprintf("%s-%08d", c.Name, n), Weight: source.Weight,
		Time: r.start + event.Time(n-1)*event.Time(c.Every.Milliseconds()),
		Ad:   valueOf(c.Ad, source.Fields), Campaign: valueOf(c.Campaign, source.Fields),
		Context: make(event.Fields, 0, len(source.Fields)),
	}
	if c.Format == "vw" {
		if err := row.labelVW(source, c.Positive); err != nil {
			return nil, err
		}
	}
	ad, campaign := columnOf(c.Ad), columnOf(c.Campaign)
	if row.Ad == "" {
		return nil, fmt.Errorf("column %s is empty, want the ad", ad)
	}
	for _, f := range source.Fields {
		switch f.Name {
		case "": // of no setting
		case c.Label:
			row.Label, row.Positive = f.Value.Text(), table.Means(c.Positive, f.Value)
			continue
		case c.Time:
			t, err := parseTime(f.Value.Text())
			if err != nil {
				return nil, fmt.Errorf("column %s is %q, want a time such as 2019-11-24T00:01:03.979Z", c.Time, f.Value.Text())
			}
			row.Time = t
			continue
		case c.User:
			row.User = f.Value.Text()
			continue
		case ad, campaign:
			continue
		}
		if !slices.Contains(c.Drop, f.Name) && !slices.Contains(c.Shown, f.Name) {
			row.Context = append(row.Context, f)
		}
	}
	if c.Format != "vw" && row.Label == "" {
		return nil, fmt.Errorf("there is no column %s, or it is empty: it should hold the label", c.Label)
	}
	columns.Ages(row.Context, row.Time)
	r.addEvents(row, source.Fields)
	return row, nil
}

// labelVW sets the label of a row of vw.
func (row *Row) labelVW(source *table.Row, positive []string) error {
	if !source.HasY {
		return errors.New("the label is missing, want LABEL |NAMESPACE FEATURE")
	}
	y := source.Label
	row.Label = strconv.FormatFloat(y, 'g', -1, 64)
	switch {
	case len(positive) > 0:
		row.Positive = table.Means(positive, event.Value{Kind: event.Number, Num: y})
	case y != 1 && y != 0 && y != -1:
		return fmt.Errorf("the label is %s, want 0 or 1, or -1 or 1: say with positive in %s which numbers mean yes, such as \">0\"; numbers as targets are not supported", row.Label, File)
	default:
		row.Positive = y == 1
	}
	return nil
}

// columnPrefix marks a setting that names a column instead of a constant.
const columnPrefix = "column:"

// columnOf returns the column that a setting names, or "" for a constant.
func columnOf(setting string) string {
	if name, ok := strings.CutPrefix(setting, columnPrefix); ok {
		return name
	}
	return ""
}

// valueOf returns the value of the column that a setting names, or the constant.
func valueOf(setting string, fields event.Fields) string {
	if !strings.HasPrefix(setting, columnPrefix) {
		return setting
	}
	v, _ := fields.Lookup(columnOf(setting))
	return v.Text()
}

// parseTime parses RFC 3339, also with the space that data tools write instead of the T.
func parseTime(s string) (event.Time, error) {
	return event.ParseTime(strings.Replace(s, " ", "T", 1))
}

// addEvents makes the events that followed a row.
func (r *Recording) addEvents(row *Row, columns event.Fields) {
	c := &r.cfg
	for _, s := range c.Events {
		if s.When == "positive" && !row.Positive {
			continue
		}
		at := row.Time.Add(s.Delay)
		e := event.Event{
			ID: row.Request + "-" + s.Type, Type: s.Type, Time: at, Received: at, User: row.User,
			Prediction: event.PredictionID(row.Request, 0), Request: row.Request, Ad: row.Ad, Campaign: row.Campaign,
		}
		e.Context = appendColumns(e.Context, columns, s.Context)
		if s.Type == c.shownBy() {
			e.Properties = appendColumns(e.Properties, columns, c.Shown)
		}
		if v, ok := columns.Lookup(s.Value); ok && v.Kind == event.Number {
			e.Value = v.Num
		}
		row.Events = append(row.Events, e)
	}
}

// appendColumns appends the columns of these names that a row has.
func appendColumns(dst, columns event.Fields, names []string) event.Fields {
	for _, name := range names {
		if v, ok := columns.Lookup(name); ok {
			dst = append(dst, event.Field{Name: name, Value: v})
		}
	}
	return dst
}
