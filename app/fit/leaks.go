package fit

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// Bounds of the search for columns that are known only after the outcome.
const (
	leakRows    = 10_000  // rows of a pass that are searched
	leakCells   = 500_000 // cells that are searched: a file with many columns has fewer rows
	leakColumns = 500
	leakValues  = 500  // distinct values of a column that are counted
	leakLeast   = 20   // rows of each label, without which nothing is suspected
	leakAUC     = 0.98 // above it, a column alone tells the labels apart
)

// leaks searches the first rows for columns that alone tell the label: most likely their values are
// written when the label is known. It changes nothing that is learned.
type leaks struct {
	columns []*leak
	index   map[string]int // of columns, by name
	rows    int
	labels  [2]int // rows by label
}

// leak counts the cells of a column.
type leak struct {
	name    string
	numbers []ranked // the column's numbers, a group each
	values  map[leakValue]*counts
	missing counts
	other   counts // rows of values beyond leakValues
}

type leakValue struct {
	number bool
	bits   uint64
}

// counts counts rows by even and odd row, and by label.
type counts [2][2]int

func (c *counts) byLabel() [2]int { return [2]int{c[0][0] + c[1][0], c[0][1] + c[1][1]} }

func (l *leaks) full() bool {
	return l.rows >= leakRows || l.rows*len(l.columns) >= leakCells || len(l.columns) > leakColumns
}

// column returns the index of a column, -1 for one beyond leakColumns.
func (l *leaks) column(name string) int {
	i, ok := l.index[name]
	if !ok {
		if len(l.columns) >= leakColumns {
			return -1
		}
		if l.index == nil {
			l.index = map[string]int{}
		}
		i = len(l.columns)
		l.index[name] = i
		l.columns = append(l.columns, &leak{name: name, values: map[leakValue]*counts{}})
	}
	return i
}

// row counts a row's label. The row's cells are counted before.
func (l *leaks) row(y float64) {
	l.labels[label01(y)]++
	l.rows++
}

func label01(y float64) int {
	if y > 0 {
		return 1
	}
	return 0
}

// cell counts a cell by the feature that it became.
func (l *leaks) cell(column int, x model.Feature, y float64) {
	if column < 0 {
		return
	}
	c, half, label := l.columns[column], l.rows&1, label01(y)
	value := leakValue{bits: x.Hash}
	switch x.Kind {
	case model.Missing:
		c.missing[half][label]++
		return
	case model.Number:
		one := ranked{score: x.Value}
		one.rows[label] = 1
		c.numbers = append(c.numbers, one)
		value = leakValue{true, math.Float64bits(x.Value)}
	}
	n := c.values[value]
	if n == nil {
		if len(c.values) >= leakValues {
			c.other[half][label]++
			return
		}
		n = &counts{}
		c.values[value] = n
	}
	n[half][label]++
}

// cells counts a row of CSV, by the first feature of each input.
func (l *leaks) cells(columns []column, slab []model.Feature, y float64) {
	for i := range columns {
		if c := &columns[i]; c.role == input {
			l.cell(c.leak, slab[c.first], y)
		}
	}
	l.row(y)
}

// fields counts a row of named fields.
func (l *leaks) fields(f event.Fields, y float64) {
	if l.full() {
		return
	}
	for i := range f {
		if f[i].Value.Kind != event.List {
			var room [1]model.Feature
			l.cell(l.column(f[i].Name), features.EncodeValue(room[:0], 0, &f[i].Value)[0], y)
		}
	}
	l.row(y)
}

// Suspect is a column that is probably known only after the outcome.
type Suspect struct{ Name, Why string }

// suspects returns the columns that are probably known only after the outcome.
func (l *leaks) suspects() (found []Suspect) {
	if min(l.labels[0], l.labels[1]) < leakLeast {
		return nil
	}
	for _, c := range l.columns {
		if why := c.why(l.labels); why != "" {
			found = append(found, Suspect{c.name, fmt.Sprintf("%s, in the first %d rows", why, l.rows)})
		}
	}
	return found
}

// why returns the reason to suspect a column, or "". labels counts the rows by label.
func (c *leak) why(labels [2]int) string {
	missing := c.missing.byLabel()
	present := [2]int{labels[0] - missing[0], labels[1] - missing[1]}
	if auc := max(c.valueAUC(), c.numberAUC(present)); auc > leakAUC {
		return fmt.Sprintf("it alone tells the labels apart (AUC %.3f)", auc)
	}
	// onlyYes reports whether enough rows are left, all with the rarer label yes.
	onlyYes := func(left [2]int) bool { return left[0] == 0 && left[1] >= leakLeast && labels[1] < labels[0] }
	if missing[0]+missing[1] > 0 && onlyYes(present) {
		return fmt.Sprintf("it has a value in %d rows, all with the label yes", present[1])
	}
	var usual [2]int // the rows of the most frequent value
	for _, n := range c.values {
		if rows := n.byLabel(); rows[0]+rows[1] > usual[0]+usual[1] {
			usual = rows
		}
	}
	unusual := [2]int{present[0] - usual[0], present[1] - usual[1]}
	if 2*(usual[0]+usual[1]) > labels[0]+labels[1] && onlyYes(unusual) {
		return fmt.Sprintf("it is not as usual in %d rows, all with the label yes", unusual[1])
	}
	return ""
}

// valueAUC ranks the odd rows by the rate of yes that their value has in the even rows. A value
// that the even rows do not have gets the rate of one half, so that ids of rows do not look like
// leaks.
func (c *leak) valueAUC() float64 {
	groups := make([]ranked, 0, len(c.values)+2)
	add := func(n *counts) {
		groups = append(groups, ranked{(float64(n[0][1]) + 0.01) / (float64(n[0][0]+n[0][1]) + 0.02), n[1]})
	}
	for _, n := range c.values {
		add(n)
	}
	add(&c.missing)
	add(&c.other)
	return auc(groups)
}

// numberAUC ranks the rows by the column's number, those without a number first. present counts the
// rows with a value by label.
func (c *leak) numberAUC(present [2]int) float64 {
	if len(c.numbers) < max(present[0]+present[1], leakLeast) {
		return 0 // some values are texts
	}
	groups := []ranked{{math.Inf(-1), c.missing.byLabel()}}
	if c.other == (counts{}) { // far fewer groups than numbers
		for v, n := range c.values {
			groups = append(groups, ranked{math.Float64frombits(v.bits), n.byLabel()})
		}
	} else {
		groups = append(groups, c.numbers...)
	}
	a := auc(groups)
	return max(a, 1-a)
}

// ranked is a group of rows with one score, counted by label.
type ranked struct {
	score float64
	rows  [2]int
}

// auc returns the probability that a row with the label yes has a higher score than one with the
// label no. Ties count half. It is 0 without rows of both labels. It sorts the groups.
func auc(groups []ranked) float64 {
	slices.SortFunc(groups, func(a, b ranked) int { return cmp.Compare(a.score, b.score) })
	var below, no, yes float64
	for i := 0; i < len(groups); {
		score := groups[i].score
		var n [2]float64
		for ; i < len(groups) && groups[i].score == score; i++ {
			n[0] += float64(groups[i].rows[0])
			n[1] += float64(groups[i].rows[1])
		}
		below += n[1] * (no + n[0]/2)
		no += n[0]
		yes += n[1]
	}
	if yes == 0 || no == 0 {
		return 0
	}
	return below / (yes * no)
}
