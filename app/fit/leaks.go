package fit

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

// Bounds of what is kept to find columns that are known only after the outcome.
const (
	leakRows    = 10_000  // the first of a pass
	leakCells   = 500_000 // of all columns: with many columns there are fewer rows
	leakColumns = 500
	leakValues  = 500 // of a column; later ones are not counted
	leakLeast   = 20  // rows of either label, before anything is said
	leakAUC     = 0.98
)

// leaks looks for columns that alone say what the label is: most likely they are written when it is
// known. It only looks, and costs what it keeps of the first rows.
type leaks struct {
	columns []*leak
	index   map[string]int
	rows    int
	labels  [2]int
}

// leak is what is kept of a column.
type leak struct {
	name    string
	numbers []labeled
	values  map[leakValue]*counts
	missing counts
	other   counts // values beyond those that are counted
}

type labeled struct {
	v   float64
	yes bool
}

type leakValue struct {
	number bool
	bits   uint64
}

// counts are of rows, by even or odd row and by label.
type counts [2][2]int

func (c *counts) of(label int) int { return c[0][label] + c[1][label] }

func (l *leaks) full() bool {
	return l.rows >= leakRows || l.rows*len(l.columns) >= leakCells || len(l.columns) > leakColumns
}

// column is the number of a column, -1 for one too many.
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

// row counts a row's label; its cells come before.
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

// cell counts what a column says in a row: the feature that it became.
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
		c.numbers = append(c.numbers, labeled{x.Value, y > 0})
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

// fields counts a row of named fields.
func (l *leaks) fields(f event.Fields, encode func(*event.Value) model.Feature, y float64) {
	if l.full() {
		return
	}
	for i := range f {
		if f[i].Value.Kind != event.List {
			l.cell(l.column(f[i].Name), encode(&f[i].Value), y)
		}
	}
	l.row(y)
}

// suspects says which columns most likely are known only after the outcome, and why.
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

// Suspect is a column that most likely is known only after the outcome.
type Suspect struct{ Name, Why string }

func (c *leak) why(labels [2]int) string {
	auc := max(c.valueAUC(), c.numberAUC(labels))
	if auc > leakAUC {
		return fmt.Sprintf("it alone tells the labels apart (AUC %.3f)", auc)
	}
	present := [2]int{labels[0] - c.missing.of(0), labels[1] - c.missing.of(1)}
	if absent := c.missing.of(0) + c.missing.of(1); absent > 0 && present[0] == 0 && present[1] >= leakLeast && labels[1] < labels[0] {
		return fmt.Sprintf("it has a value in %d rows, all with the label yes", present[1])
	}
	usual, most := counts{}, 0
	for _, n := range c.values {
		if total := n.of(0) + n.of(1); total > most {
			usual, most = *n, total
		}
	}
	unusual := [2]int{present[0] - usual.of(0), present[1] - usual.of(1)}
	if most*2 > labels[0]+labels[1] && unusual[0] == 0 && unusual[1] >= leakLeast && labels[1] < labels[0] {
		return fmt.Sprintf("it is not as usual in %d rows, all with the label yes", unusual[1])
	}
	return ""
}

// valueAUC orders the odd rows by the rate of yes that their value has in the even ones: values
// that are new say nothing, so that names of rows do not look as if they knew.
func (c *leak) valueAUC() float64 {
	type group struct {
		rate float64
		n    [2]int
	}
	var groups []group
	add := func(n *counts) {
		groups = append(groups, group{(float64(n[0][1]) + 0.01) / (float64(n[0][0]+n[0][1]) + 0.02), n[1]})
	}
	for _, n := range c.values {
		add(n)
	}
	add(&c.missing)
	add(&c.other)
	slices.SortFunc(groups, func(a, b group) int { return cmp.Compare(a.rate, b.rate) })
	var rank rankSum
	for i := 0; i < len(groups); {
		rate, n := groups[i].rate, [2]int{}
		for ; i < len(groups) && groups[i].rate == rate; i++ {
			n[0] += groups[i].n[0]
			n[1] += groups[i].n[1]
		}
		rank.add(n)
	}
	return rank.auc()
}

// numberAUC orders rows by the column's number, those without any first.
func (c *leak) numberAUC(labels [2]int) float64 {
	if len(c.numbers) < labels[0]+labels[1]-c.missing.of(0)-c.missing.of(1) || len(c.numbers) < leakLeast {
		return 0 // texts among them
	}
	slices.SortFunc(c.numbers, func(a, b labeled) int { return cmp.Compare(a.v, b.v) })
	var rank rankSum
	rank.add([2]int{c.missing.of(0), c.missing.of(1)})
	for i := 0; i < len(c.numbers); {
		v, n := c.numbers[i].v, [2]int{}
		for ; i < len(c.numbers) && c.numbers[i].v == v; i++ {
			if c.numbers[i].yes {
				n[1]++
			} else {
				n[0]++
			}
		}
		rank.add(n)
	}
	auc := rank.auc()
	return max(auc, 1-auc)
}

// rankSum is an AUC on its way: groups of equal scores come in rising order.
type rankSum struct {
	below, yes, no float64
}

func (r *rankSum) add(n [2]int) {
	r.below += float64(n[1]) * (r.no + float64(n[0])/2)
	r.yes += float64(n[1])
	r.no += float64(n[0])
}

func (r *rankSum) auc() float64 {
	if r.yes == 0 || r.no == 0 {
		return 0
	}
	return r.below / (r.yes * r.no)
}
