package catalogue

import (
	"errors"
	"math/bits"
	"slices"
	"strings"
	"sync"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/expression"
)

// A filter is an expression over the fields of an item (item.price, with item.id and item.campaign)
// and of the request's context (context.country). An item that lacks a field that the expression
// needs is left out, and so is one for which it has no result; item.price ?? 0 has a default. A
// context that lacks a field makes the request wrong.
//
// A filter is cut into the conditions that it joins by and. Each is compiled once, and its results
// are kept for the same values of the context: a chunk of items is looked at again only when one of
// them has changed. A condition on one field is evaluated once for each different value.
const (
	groupItem    = "item"
	groupContext = "context"

	// texts, and conditions with the values of their contexts, of which results are kept
	maxFilters = 256
	// results by the places of values are kept for an evaluation where there are no more of them
	maxCombinations = 1 << 20
)

var filterNames = expression.Names{Fields: []string{groupContext, groupItem}}

// filters are the filters that were used last.
type filters struct {
	mu       sync.Mutex
	programs map[string][]*expression.Program // by text
	results  map[string]*results
	order    []string // of results, the oldest first
}

// results are a condition's, for one choice of values of the context.
type results struct {
	program *expression.Program
	values  []event.Value // by reference: those of the context
	items   []ref         // those of items

	mu      sync.Mutex
	chunks  []filtered
	failed  int   // items for which there is no result, beside those that lack a field
	err     error // of one of these
	missing error // the context lacks a field that the condition needs
}

// ref is a reference to a field of items.
type ref struct {
	at     int // in Program.Refs
	name   string
	column int // of the View, -1 when no item has it
}

// filtered are the results for a chunk.
type filtered struct {
	of     *chunk
	pass   bitmap
	failed int
}

// Filtered is what a filter has left out beside what it is to leave out.
type Filtered struct {
	Failed int   // items for which it has no result, beside those that lack a field
	Err    error // of one of these
	// a field of items that it names and no item has, and the nearest one that some has
	Unknown, Nearest string
}

// compile returns the conditions of a text, which may have been compiled before. An error is an
// *expression.Error.
func (f *filters) compile(text string) ([]*expression.Program, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if all := f.programs[text]; all != nil {
		return all, nil
	}
	all, err := expression.Conjuncts(text, filterNames)
	if err != nil {
		return nil, err
	}
	if f.programs == nil || len(f.programs) == maxFilters {
		f.programs = map[string][]*expression.Program{}
	}
	f.programs[strings.Clone(text)] = all
	return all, nil
}

// Match removes the items from set that do not pass the filter. The error is about the text, or
// about a field that the context lacks.
func (c *Catalogue) Match(set Set, v *View, text string, context event.Fields) (Filtered, error) {
	all, err := c.filters.compile(text)
	if err != nil {
		return Filtered{}, err
	}
	var out Filtered
	for _, p := range all {
		if err := c.filters.find(p, context).match(set, v, &out); err != nil {
			return Filtered{}, err
		}
	}
	return out, nil
}

// match removes the items from set that do not meet the condition.
func (r *results) match(set Set, v *View, out *Filtered) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.update(v); r.missing != nil {
		return r.missing
	}
	r.tellUnknown(v, out)
	for i := range v.chunks {
		words, f := set.of(i), &r.chunks[i]
		for j := range words {
			words[j] &= f.pass[j]
		}
		if out.Failed = max(out.Failed, r.failed); out.Err == nil {
			out.Err = r.err
		}
	}
	return nil
}

// tellUnknown says which field the condition names that no item has.
func (r *results) tellUnknown(v *View, out *Filtered) {
	for _, item := range r.items {
		if item.name == "id" || v.column(item.name) >= 0 || out.Unknown != "" {
			continue
		}
		known := []string{"id"}
		for _, c := range v.Columns {
			known = append(known, c.Name)
		}
		out.Unknown, out.Nearest = item.name, event.Nearest(item.name, known)
	}
}

// find returns the results of a condition with the values of a context, which may be new.
func (f *filters) find(p *expression.Program, context event.Fields) *results {
	r := &results{program: p}
	key := []byte(p.String())
	for i, reference := range p.Refs() {
		r.values = append(r.values, event.Value{})
		if reference.Group == groupItem {
			r.items = append(r.items, ref{at: i, name: reference.Field})
			continue
		}
		value, _ := context.Lookup(reference.Field)
		r.values[i] = cloneValue(value)
		key = value.AppendJSON(append(key, 0, byte(value.Kind)))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.results[string(key)]; known != nil {
		return known
	}
	if f.results == nil {
		f.results = map[string]*results{}
	}
	if len(f.order) == maxFilters {
		delete(f.results, f.order[0])
		f.order = f.order[1:]
	}
	f.order = append(f.order, string(key))
	f.results[f.order[len(f.order)-1]] = r
	return r
}

// update evaluates the filter for the chunks that have changed.
func (r *results) update(v *View) {
	for len(r.chunks) < len(v.chunks) {
		r.chunks = append(r.chunks, filtered{})
	}
	var e *evaluation
	for i, ch := range v.chunks {
		if r.chunks[i].of != ch {
			if e == nil {
				e = r.evaluate(v)
			}
			r.failed -= r.chunks[i].failed
			e.chunk(ch, &r.chunks[i])
			r.failed += r.chunks[i].failed
		}
	}
}

// evaluation evaluates a filter for the items of a View.
type evaluation struct {
	*results
	view *View
	run  expression.Run
	// results by the places of the items' values: 0 unknown, else a verdict; nil when there would
	// be too many
	known []verdict
	size  []int // of each reference's column
}

type verdict uint8

const (
	unknown verdict = iota
	passes
	fails
	failsWrong // for another reason than a missing field
)

func (r *results) evaluate(v *View) *evaluation {
	e := &evaluation{results: r, view: v, run: expression.Run{Values: slices.Clone(r.values)}}
	all := 1
	for i := range r.items {
		item, n := &r.items[i], 1
		item.column = v.column(item.name)
		if item.column >= 0 {
			n = v.Columns[item.column].places
		}
		if item.name == "id" {
			n = maxCombinations + 1
		}
		e.size = append(e.size, n)
		if all *= n; all > maxCombinations {
			all = maxCombinations + 1
		}
	}
	if all <= maxCombinations {
		e.known = make([]verdict, all)
	}
	return e
}

// chunk evaluates the condition for a chunk's items.
func (e *evaluation) chunk(ch *chunk, f *filtered) {
	*f = filtered{of: ch}
	var single []uint32 // places of the only field
	if e.known != nil && len(e.items) == 1 && e.items[0].column >= 0 {
		single = ch.places(e.items[0].column)
	}
	for w, word := range ch.live {
		for ; word != 0; word &= word - 1 {
			i := w*64 + bits.TrailingZeros64(word)
			result := unknown
			if single != nil {
				result = e.known[single[i]]
			}
			if result == unknown {
				result = e.verdict(ch, i)
			}
			switch result {
			case passes:
				f.pass[w] |= 1 << (i % 64)
			case failsWrong:
				f.failed++
			}
		}
	}
}

// verdict evaluates the filter for an item, unless it has for another with the same values.
func (e *evaluation) verdict(ch *chunk, i int) verdict {
	at := 0
	if e.known != nil {
		for j := range e.items {
			at = at*e.size[j] + int(ch.place(e.items[j].column, i))
		}
		if known := e.known[at]; known != unknown {
			return known
		}
	}
	for j := range e.items {
		item := &e.items[j]
		value := &e.run.Values[item.at]
		switch {
		case item.name == "id":
			*value = event.Value{Kind: event.String, Str: ch.ids[i]}
		case item.column < 0:
			*value = event.Value{}
		default:
			*value = *e.view.Columns[item.column].value(ch.place(item.column, i))
		}
	}
	result := e.decide()
	if e.known != nil {
		e.known[at] = result
	}
	return result
}

// place is that of an item's value, 0 for none.
func (ch *chunk) place(column, i int) uint32 {
	if column < 0 {
		return 0
	}
	if places := ch.places(column); places != nil {
		return places[i]
	}
	return 0
}

func (e *evaluation) decide() verdict {
	ok, err := e.program.Bool(&e.run)
	wrong := (*expression.Error)(nil)
	switch {
	case ok:
		return passes
	case err == nil:
		return fails
	case errors.As(err, &wrong) && wrong.Missing:
		if strings.HasPrefix(wrong.Reason, groupContext) {
			e.missing = err
		}
		return fails
	}
	e.results.err = err
	return failsWrong
}
