package export

import (
	"strings"

	"github.com/clickloop/clickloop/internal/strictjson"
)

// object reads a member that becomes a map. One of another form goes to the rest.
func (d *decoder) object(name string, i int, raw string, to *row) {
	place, k := d.places[i], d.layout.members[i].kind
	r := &d.inner
	r.Reset(raw, limits)
	if r.Kind() == strictjson.KindNull {
		return
	}
	list, ok := d.entries[place][:0], r.Kind() == strictjson.KindObject
	if ok && k == facts {
		list, ok = d.facts(r, raw, list)
	} else if ok {
		list, ok = uniform(r, k.of(), list)
	}
	d.entries[place], d.replaced = list, d.replaced+r.Replaced()
	if !ok || r.Err() != nil {
		d.differs(name, k, cell{}, raw)
		return
	}
	if list == nil {
		list = []entry{}
	}
	to.maps[place] = list
	for _, e := range list {
		d.column(i, e, k, to)
	}
}

// column fills the column of an entry, where it has one.
func (d *decoder) column(member int, e entry, k kind, to *row) {
	of := k.of()
	if e.cell.kind == none {
		return
	}
	if k == facts && e.cell.kind == number {
		of = number
	}
	key := entryKey{member, e.name, of}
	at, known := d.columns.find(key)
	if at >= 0 {
		to.cells[d.scalars+len(tail)+at] = e.cell
		return
	}
	if !known && !d.met[key] {
		key.name = strings.Clone(key.name) // the text of the message need not stay
		d.met[key] = true
		d.newKeys = append(d.newKeys, key)
	}
}

// uniform reads an object whose values are all of kind k. It returns false for another one.
func uniform(r *strictjson.Reader, k kind, list []entry) ([]entry, bool) {
	for r.Object(); r.Key(); {
		name := r.Name()
		c, raw := scalar(r, k)
		if raw != "" {
			return list, false
		}
		list = append(list, entry{name, c})
	}
	return list, true
}

// nestedNames is how many times the bytes of a member its names may have: below a long name every
// name repeats it.
const nestedNames = 4

// facts reads an object of facts. Nested objects are flattened to dotted names, as the loop does.
// It returns false where that makes one name of two, or too long names.
func (d *decoder) facts(r *strictjson.Reader, raw string, list []entry) ([]entry, bool) {
	f := flattener{r: r, left: nestedNames * len(raw)}
	list = f.members("", list)
	if f.left < 0 {
		return list, false
	}
	if !f.nested {
		return list, true
	}
	clear(d.names)
	for _, e := range list {
		d.names[e.name] = struct{}{}
	}
	return list, len(d.names) == len(list)
}

// flattener reads nested objects into one list.
type flattener struct {
	r      *strictjson.Reader
	nested bool
	left   int // bytes that names may still have
}

func (f *flattener) members(prefix string, list []entry) []entry {
	for f.r.Object(); f.r.Key(); {
		name := f.r.Name()
		if prefix != "" {
			f.nested = true
			if f.left -= len(prefix) + len(name); f.left < 0 {
				return list
			}
			name = prefix + "." + name
		}
		list = f.value(name, list)
	}
	return list
}

// value adds a value: a number, a text, null, or JSON for lists, flags, and objects without
// members. A whole number that 64 bits round is the text of its digits, as in the loop.
func (f *flattener) value(name string, list []entry) []entry {
	c := cell{}
	switch f.r.Kind() {
	case strictjson.KindObject:
		before := len(list)
		if list = f.members(name, list); len(list) > before || f.left < 0 {
			return list
		}
		c = cell{kind: tree, text: "{}"}
	case strictjson.KindNull:
		f.r.Null()
	case strictjson.KindString:
		c = cell{kind: text, text: f.r.Text()}
	case strictjson.KindNumber:
		num, digits := f.r.Exact()
		if c = (cell{kind: number, num: num}); digits != "" {
			c = cell{kind: text, text: digits}
		}
	default:
		c = cell{kind: tree, text: f.r.Raw()}
	}
	return append(list, entry{name, c})
}

// children reads a record: an object whose members are columns. One with other members goes to the
// rest whole.
func (d *decoder) children(name, raw string, to *row) {
	r := &d.inner
	r.Reset(raw, limits)
	c, said := cell{}, true
	if r.Kind() == strictjson.KindNull {
		return
	}
	if r.Kind() != strictjson.KindObject {
		d.differs(name, record, c, raw)
		return
	}
	for r.Object(); r.Key(); {
		i, known := d.layout.index[name+"."+r.Name()]
		if !known {
			r.Skip()
			said = false
			continue
		}
		value, exact := scalar(r, d.layout.members[i].kind)
		to.cells[d.places[i]] = value
		said = said && exact == ""
	}
	if !said || r.Err() != nil {
		d.differs(name, record, c, raw)
	}
}
