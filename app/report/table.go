package report

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Table is a table of the page and, under its ID, a CSV file.
type Table struct {
	ID, Title string
	Note      string // what the reader must know to read it
	Columns   []Column
	Rows      [][]Cell
}

// Column is a column of the page. In CSV it may be several: a figure and the ends of its interval.
type Column struct {
	Label string
	Names []string // of the columns in CSV
	Class string   // number, time, or empty for texts
}

// maxRows is how many rows of a table the page shows: browsers fail on pages of many megabytes.
const maxRows = 100

// Shown are the rows that the page shows. CSV has all of them.
func (t *Table) Shown() [][]Cell { return t.Rows[:min(len(t.Rows), maxRows)] }

// LeftOut is how many rows the page does not show, in words; empty for none.
func (t *Table) LeftOut() string {
	if n := int64(len(t.Rows) - maxRows); n > 0 {
		return plural(n, "further row") + " " + map[bool]string{true: "is", false: "are"}[n == 1] + " in " + t.ID + ".csv, which --csv writes."
	}
	return ""
}

// Cell is a value as the page shows it, and as CSV has it, one value for each of the column's
// names. Numbers in CSV have all their digits. Tone says how to show it: good, bad, or empty.
type Cell struct {
	Text   string
	Values []string
	Tone   string
	Range  string // interval of the text, in words
}

// text is a column of texts.
func text(label, name string) Column { return Column{Label: label, Names: []string{name}} }

// number is a column of numbers.
func number(label, name string) Column {
	return Column{Label: label, Names: []string{name}, Class: "number"}
}

// instant is a column of times.
func instant(label, name string) Column {
	return Column{Label: label, Names: []string{name}, Class: "time"}
}

// estimate is a column of figures with their intervals.
func estimate(label, name string) Column {
	return Column{Label: label, Names: []string{name, name + "_low", name + "_high"}, Class: "number"}
}

// add adds a row. A row of another number of cells is a bug.
func (t *Table) add(cells ...Cell) {
	if len(cells) != len(t.Columns) {
		panic(fmt.Sprintf("BUG: %d cells for %d columns of the table %s", len(cells), len(t.Columns), t.ID))
	}
	for i, c := range cells {
		if len(c.Values) != len(t.Columns[i].Names) {
			panic(fmt.Sprintf("BUG: %d values for %d names of the table %s, column %s", len(c.Values), len(t.Columns[i].Names), t.ID, t.Columns[i].Label))
		}
	}
	t.Rows = append(t.Rows, cells)
}

// WriteCSV writes each table as a file DIR/ID.csv, RFC 4180 with a header. An empty value is not
// known. A text that a spreadsheet would take for a formula gets an apostrophe before it.
func (r *Report) WriteCSV(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make the folder of --csv: %w", err)
	}
	for _, t := range r.Tables() {
		var b strings.Builder
		w := csv.NewWriter(&b)
		if err := w.WriteAll(t.cells()); err != nil {
			return err
		}
		if err := replace(filepath.Join(dir, t.ID+".csv"), []byte(b.String())); err != nil {
			return err
		}
	}
	return nil
}

// cells are the header and the rows as CSV has them.
func (t *Table) cells() [][]string {
	var header []string
	for _, c := range t.Columns {
		header = append(header, c.Names...)
	}
	all := [][]string{header}
	for _, row := range t.Rows {
		line := make([]string, 0, len(header))
		for i, c := range row {
			for _, v := range c.Values {
				if t.Columns[i].Class == "" {
					v = harmless(v)
				}
				line = append(line, v)
			}
		}
		all = append(all, line)
	}
	return all
}

// harmless keeps spreadsheets from computing what somebody on the internet has written.
func harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// replace writes a file as a whole or not at all: readers never see half of it.
func replace(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	_, err = f.Write(content)
	if mode := f.Chmod(0o644); err == nil {
		err = mode
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}
