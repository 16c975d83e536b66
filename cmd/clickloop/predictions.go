package main

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/app/fit"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// Forms of predictions.
const (
	formPlain = "plain" // prediction, space, label; JSON lines for a softmax
	formCSV   = "csv"
	formJSON  = "jsonl"
)

// predictions writes predictions to a file, or to standard output. A nil one writes nothing.
type predictions struct {
	f       io.Closer // nil for standard output
	w       *bufio.Writer
	form    string
	classes []string
	id      string // name of the column of ids; empty: rows have numbers
	files   bool   // name the file of each row: there are several
	labels  bool   // write labels
	begun   bool
	line    []byte
}

// newPredictions opens a file. Its name decides an empty form: .csv, .jsonl, else plain.
func newPredictions(path, form string) (*predictions, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("cannot write the predictions: %w", err)
	}
	return &predictions{f: f, w: bufio.NewWriter(f), form: cmp.Or(form, formOf(path, formPlain))}, nil
}

// formOf returns the form that a file's name implies.
func formOf(path, otherwise string) string {
	switch lower := strings.ToLower(path); {
	case strings.HasSuffix(lower, ".csv"):
		return formCSV
	case strings.HasSuffix(lower, ".jsonl"), strings.HasSuffix(lower, ".ndjson"), strings.HasSuffix(lower, ".json"):
		return formJSON
	}
	return otherwise
}

// write writes one prediction.
func (p *predictions) write(x *fit.Prediction) error {
	if p == nil {
		return nil
	}
	switch p.form {
	case formCSV:
		return p.writeCSV(x)
	case formJSON:
		p.line = append(p.line[:0], '{')
		if p.files {
			p.line = append(strictjson.AppendString(append(p.line, `"file":`...), x.File), ',')
		}
		if p.id != "" {
			p.line = append(strictjson.AppendString(append(p.line, `"id":`...), x.ID), ',')
		} else {
			p.line = append(strconv.AppendInt(append(p.line, `"row":`...), int64(x.Row), 10), ',')
		}
		p.appendJSON(x)
	default:
		if len(p.classes) == 0 {
			p.line = strictjson.AppendNumber(p.line[:0], x.P[0])
			p.line = strictjson.AppendNumber(append(p.line, ' '), x.Y)
			break
		}
		p.line = append(p.line[:0], '{')
		p.appendJSON(x)
	}
	_, err := p.w.Write(append(p.line, '\n'))
	return err
}

// appendJSON appends the probabilities and the label: "p":0.25,"y":1} or
// "p":{"a":0.75,"b":0.25},"y":"a"}.
func (p *predictions) appendJSON(x *fit.Prediction) {
	p.line = append(p.line, `"p":`...)
	if len(p.classes) == 0 {
		p.line = strictjson.AppendNumber(p.line, x.P[0])
		if x.Labeled {
			p.line = strictjson.AppendNumber(append(p.line, `,"y":`...), x.Y)
		}
		p.line = append(p.line, '}')
		return
	}
	for i, v := range x.P {
		p.line = append(p.line, "{,"[min(i, 1)])
		p.line = append(strictjson.AppendString(p.line, p.classes[i]), ':')
		p.line = strictjson.AppendNumber(p.line, v)
	}
	p.line = append(p.line, '}')
	if x.Labeled {
		p.line = strictjson.AppendString(append(p.line, `,"y":`...), p.classes[int(x.Y)])
	}
	p.line = append(p.line, '}')
}

// writeCSV writes a prediction as a row. Its columns are file; row, or the id's column; p, or one
// column for each class and the likeliest class; and y.
func (p *predictions) writeCSV(x *fit.Prediction) error {
	var cells []string
	if p.files {
		cells = append(cells, x.File)
	}
	if p.id != "" {
		cells = append(cells, x.ID)
	} else {
		cells = append(cells, strconv.Itoa(x.Row))
	}
	best := 0
	for i, v := range x.P {
		cells = append(cells, string(strictjson.AppendNumber(nil, v)))
		if v > x.P[best] {
			best = i
		}
	}
	if len(p.classes) > 0 {
		cells = append(cells, p.classes[best])
	}
	if p.labels {
		cells = append(cells, p.label(x))
	}
	return p.writeRows(cells)
}

// writeRows writes rows, and the header before the first one.
func (p *predictions) writeRows(rows ...[]string) error {
	if !p.begun {
		p.begun = true
		rows = append([][]string{p.header()}, rows...)
	}
	return csv.NewWriter(p.w).WriteAll(rows)
}

// label returns the label as a cell; a row without one has an empty cell.
func (p *predictions) label(x *fit.Prediction) string {
	switch {
	case !x.Labeled:
		return ""
	case len(p.classes) > 0:
		return p.classes[int(x.Y)]
	}
	return string(strictjson.AppendNumber(nil, x.Y))
}

// header returns the names of the columns that writeCSV writes.
func (p *predictions) header() (names []string) {
	if p.files {
		names = append(names, "file")
	}
	names = append(names, cmp.Or(p.id, "row"))
	for _, class := range p.classes {
		names = append(names, "p."+class)
	}
	if len(p.classes) > 0 {
		names = append(names, "class")
	} else {
		names = append(names, "p")
	}
	if p.labels {
		names = append(names, "y")
	}
	return names
}

// end flushes the buffer: a full disk may show only here.
func (p *predictions) end() error {
	if p == nil {
		return nil
	}
	if p.form == formCSV && !p.begun { // without rows the header alone shows the columns
		_ = p.writeRows() // Flush returns its error, too
	}
	err := p.w.Flush()
	if p.f != nil {
		err = cmp.Or(err, p.f.Close())
	}
	if err != nil {
		return fmt.Errorf("cannot write the predictions: %w", err)
	}
	return nil
}
