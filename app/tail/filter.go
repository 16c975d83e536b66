package tail

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/expression"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/stream"
)

// filter decides which messages are printed: those for which all conditions are true. A message
// that lacks a field that a condition needs is not printed, and neither is one for which it has no
// result. One goroutine at a time uses a filter; fork makes another.
//
// It reads only the members that the conditions name and passes over the others, which takes about
// as long as finding the end of the message.
type filter struct {
	*conditions
	values []event.Value // of all programs' fields, one behind the other
	runs   []expression.Run
	ranks  []int // of each value: the way by which it was found, the least is the best
	reader event.Reader

	decidedHere int64  // messages since tally
	seen        []bool // of each value: a message had it
	unseen      int
}

// conditions is what the forks of a filter share.
type conditions struct {
	programs []*expression.Program
	root     wanted
	records  []recordField
	message  bool // a condition needs a member of the message
	needed   int  // values

	mu      sync.Mutex
	decided int64 // messages
	found   []bool
	failed  int64 // messages for which a condition has no result, beside those that lack a field
	first   string
}

// recordField is a field that is the record's own.
type recordField struct {
	at    int // in values
	group string
	name  string
}

// wanted is a place in a message, and the places below it that conditions need.
type wanted struct {
	name  string
	at    []way
	below []*wanted
}

// way says which value a place holds. Names may contain dots themselves, so there are several ways
// to read a dotted name; of those that exist, the one of the least rank counts.
type way struct{ value, rank int }

// maxParts is how many parts a dotted name may have: the ways to read it double with each.
const maxParts = 8

// errShell explains what a shell does to a condition without quotes.
const errShell = "a shell takes < > and ! for itself: put the condition in single quotes, such as 'p.click > 0.1'"

// newFilter compiles conditions; nil stands for no condition.
func newFilter(texts []string, names expression.Names) (*filter, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	c := &conditions{}
	for _, text := range texts {
		p, err := expression.Condition(text, names)
		if err != nil {
			return nil, fmt.Errorf("the condition %q: %w%s", text, err, rewritten(text, names))
		}
		for _, r := range p.Refs() {
			if strings.Count(r.Field, ".") >= maxParts {
				return nil, fmt.Errorf("the condition %q: at column %d: the name has more than %d parts", text, r.Column, maxParts)
			}
			c.add(&r)
		}
		c.programs = append(c.programs, p)
	}
	c.found = make([]bool, c.needed)
	return c.fork(), nil
}

// add makes a value for a field.
func (c *conditions) add(r *expression.Ref) {
	value := c.needed
	c.needed++
	if r.Group == groupRecord || r.Group == groupHeader {
		c.records = append(c.records, recordField{value, r.Group, r.Field})
		return
	}
	c.message = true
	member := c.root.child(r.Group)
	if r.Field == "" {
		member.at = append(member.at, way{value, 0})
		return
	}
	for rank, names := range waysToRead(r.Field) {
		place := member
		for _, name := range names {
			place = place.child(name)
		}
		place.at = append(place.at, way{value, rank})
	}
}

// waysToRead returns the ways to read a dotted name, the whole name first: with each dot either in
// a name or between two.
func waysToRead(path string) [][]string {
	ways := [][]string{{path}}
	for i := range path {
		if path[i] == '.' {
			for _, rest := range waysToRead(path[i+1:]) {
				ways = append(ways, append([]string{path[:i]}, rest...))
			}
		}
	}
	return ways
}

// child returns the place of a member, and makes it where there is none.
func (w *wanted) child(name string) *wanted {
	if found := w.find(name); found != nil {
		return found
	}
	made := &wanted{name: name}
	w.below = append(w.below, made)
	return made
}

func (w *wanted) find(name string) *wanted {
	for _, b := range w.below {
		if b.name == name {
			return b
		}
	}
	return nil
}

// fork returns a filter for another goroutine.
func (c *conditions) fork() *filter {
	f := &filter{conditions: c, values: make([]event.Value, c.needed), ranks: make([]int, c.needed), seen: make([]bool, c.needed), unseen: c.needed}
	from := 0
	for _, p := range c.programs {
		to := from + len(p.Refs())
		f.runs = append(f.runs, expression.Run{Values: f.values[from:to:to]})
		from = to
	}
	return f
}

// holds says whether a record passes. message is its value, perhaps with more.
func (f *filter) holds(r *stream.Record, message []byte) bool {
	clear(f.values)
	f.decidedHere++
	for i := range f.records {
		f.setRecord(&f.records[i], r)
	}
	if f.message && !f.read(message) {
		return false
	}
	if f.unseen > 0 {
		f.see()
	}
	for i, p := range f.programs {
		ok, err := p.Bool(&f.runs[i])
		if err != nil {
			f.fail(r, p, err)
		}
		if !ok {
			return false
		}
	}
	return true
}

// fail counts messages without a result.
func (f *filter) fail(r *stream.Record, p *expression.Program, err error) {
	if wrong := (*expression.Error)(nil); errors.As(err, &wrong) && wrong.Missing {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed++; f.failed == 1 {
		f.first = fmt.Sprintf("of %s %v (partition %d offset %d)", p, err, r.Partition, r.Offset)
	}
}

func (f *filter) setRecord(of *recordField, r *stream.Record) {
	v := &f.values[of.at]
	switch {
	case of.group == groupHeader:
		for i := range r.Headers {
			if r.Headers[i].Key == of.name && r.Headers[i].Value != nil {
				*v = event.Value{Kind: event.String, Str: string(r.Headers[i].Value)}
			}
		}
	case of.name == "key":
		if r.Key != nil {
			*v = event.Value{Kind: event.String, Str: string(r.Key)}
		}
	case of.name == "partition":
		*v = event.Value{Kind: event.Number, Num: float64(r.Partition)}
	case of.name == "offset":
		*v = event.Value{Kind: event.Number, Num: float64(r.Offset)}
	case of.name == "time_ms":
		*v = event.Value{Kind: event.Number, Num: float64(timestamp(r))}
	}
}

// read sets the values of a message, an object. It returns false for any other text.
func (f *filter) read(message []byte) bool {
	for i := range f.ranks {
		f.ranks[i] = 1 << maxParts
	}
	if len(message) == 0 {
		return false
	}
	// the Reader's texts share the memory of the message, which nobody writes to
	f.reader.Reset(unsafe.String(&message[0], len(message)), messageLimits)
	if f.reader.Kind() != strictjson.KindObject {
		return false
	}
	f.object(&f.root)
	return f.reader.End() == nil
}

// messageLimits are those of a message of a topic, of any program.
var messageLimits = event.Limits{Bytes: 64 << 20, Depth: 32, Fields: 1 << 20}

// object reads the next value, an object, of which places below w are wanted.
func (f *filter) object(w *wanted) {
	r := &f.reader
	for r.Object(); r.Key(); {
		place := w.find(r.Name())
		switch {
		case place == nil:
			r.Skip()
		case r.Kind() == strictjson.KindObject && len(place.below) > 0:
			f.set(place, event.Value{Kind: event.List}) // it is there, and neither a number nor a text
			f.object(place)
		default:
			f.set(place, f.value())
		}
	}
}

// value reads the next value. Of an object it says only that it is there.
func (f *filter) value() event.Value {
	r := &f.reader
	switch r.Kind() {
	case strictjson.KindString:
		return event.Value{Kind: event.String, Str: r.Text()}
	case strictjson.KindNumber:
		return number(r.Exact())
	case strictjson.KindBool:
		return event.Value{Kind: event.String, Str: strconv.FormatBool(r.Bool())}
	case strictjson.KindArray:
		return f.list()
	case strictjson.KindNull:
		r.Null()
		return event.Value{}
	}
	r.Skip()
	return event.Value{Kind: event.List}
}

// number is the value of a number. One of more digits than float64 holds is also a text: it may be
// an id.
func number(f float64, digits string) event.Value {
	if digits != "" {
		f, _ = strconv.ParseFloat(digits, 64)
	} else if whole := math.Abs(f); whole > 1<<53 && whole < 1e19 {
		digits = strconv.FormatFloat(f, 'f', -1, 64)
	}
	return event.Value{Kind: event.Number, Num: f, Str: digits}
}

// list reads an array's tokens, and passes over its other elements.
func (f *filter) list() event.Value {
	r := &f.reader
	v := event.Value{Kind: event.List}
	for r.Array(); r.Element(); {
		switch r.Kind() {
		case strictjson.KindString:
			v.List = append(v.List, event.WeightedToken{Token: r.Text(), Weight: 1})
		case strictjson.KindNumber:
			v.List = append(v.List, event.WeightedToken{Token: r.NumberText(), Weight: 1})
		case strictjson.KindBool:
			v.List = append(v.List, event.WeightedToken{Token: strconv.FormatBool(r.Bool()), Weight: 1})
		default:
			if token, weight, ok := r.Pair(); ok {
				v.List = append(v.List, event.WeightedToken{Token: token, Weight: weight})
			} else {
				r.Skip()
			}
		}
	}
	return v
}

// set keeps a value where no better way to read its name has found one.
func (f *filter) set(place *wanted, v event.Value) {
	for _, w := range place.at {
		if v.Kind != event.Null && w.rank <= f.ranks[w.value] {
			f.values[w.value], f.ranks[w.value] = v, w.rank
		}
	}
}

// see marks the fields that the message has.
func (f *filter) see() {
	for i := range f.values {
		if !f.seen[i] && f.values[i].Kind != event.Null {
			f.seen[i] = true
			f.unseen--
		}
	}
}

// tally adds what this fork has seen to what all have. A reader calls it when it ends.
func (f *filter) tally() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.decided += f.decidedHere
	f.decidedHere = 0
	for i, seen := range f.seen {
		f.found[i] = f.found[i] || seen
	}
}

// complaints says what a reader of the output should know: conditions without a result, and fields
// that no message had.
func (c *conditions) complaints() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed > 0 {
		all = append(all, fmt.Sprintf("%d of %d messages are left out, since there is no result: %s", c.failed, c.decided, c.first))
	}
	at := 0
	for _, p := range c.programs {
		for _, r := range p.Refs() {
			if !c.found[at] && c.decided > 0 {
				all = append(all, fmt.Sprintf("none of %d messages had %s", c.decided, strings.TrimSuffix(r.Group+"."+r.Field, ".")))
			}
			at++
		}
	}
	return all
}
