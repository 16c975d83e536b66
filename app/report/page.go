package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

// page writes a report. Texts come from the internet, such as names of ads: html/template escapes
// them by the place where they stand, and the page's policy lets no script run.
var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"style": func() template.CSS { return template.CSS(pageStyle) }, // ours, from this folder
	"chart": func(c *Chart) chartView {
		return chartView{c, chartWidth, chartHeight, plotLeft, plotRight, plotTop, plotBottom}
	},
	"class": func(t *Table, column int) string { return t.Columns[column].Class },
	"half":  func(a, b float64) float64 { return (a + b) / 2 },
	"less":  func(a, b float64) float64 { return a - b },
	"plus":  func(a, b float64) float64 { return a + b },
}).Parse(pageText))

// chartView is a chart with the places that its template needs.
type chartView struct {
	*Chart
	Width, Height, Left, Right, Top, Bottom float64
}

// WriteHTML writes the page. It holds all that it shows: no script, no style, font or image from
// elsewhere.
func (r *Report) WriteHTML(w io.Writer) error {
	var b bytes.Buffer
	if err := page.Execute(&b, r); err != nil {
		return fmt.Errorf("BUG: cannot write the page: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// WriteFile writes the page to a file, as a whole or not at all.
func (r *Report) WriteFile(path string) error {
	var b bytes.Buffer
	if err := r.WriteHTML(&b); err != nil {
		return err
	}
	return replace(path, b.Bytes())
}

// WriteSummary writes the summary as text, one sentence a line.
func (r *Report) WriteSummary(w io.Writer) error {
	if _, err := fmt.Fprintln(w, r.Period); err != nil {
		return err
	}
	for _, c := range r.Summary {
		mark := "  "
		if c.Tone == "bad" {
			mark = "! "
		}
		if _, err := fmt.Fprintln(w, mark+c.Text); err != nil {
			return err
		}
	}
	return nil
}
