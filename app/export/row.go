package export

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/stream"
)

// cell is one value. Its kind is none, text, number, integer (also for times, in milliseconds, and
// for 1 and 0), or json.
type cell struct {
	kind kind
	text string // of text and tree
	num  float64
	int  int64
}

// entry is a named value of a map.
type entry struct {
	name string
	cell cell
}

// row is a record as the values of a table.
type row struct {
	cells []cell    // of members in their order, of the tail, of entries with a column
	maps  [][]entry // of members in their order, and of the headers; nil: null
}

// limits bound the messages that are read. Kafka bounds their bytes.
var limits = strictjson.Limits{Bytes: 1 << 30, Depth: 32}

// decoder makes rows of records. One goroutine uses it.
type decoder struct {
	layout   *layout
	columns  *columns // only read
	scalars  int      // cells of members
	maps     int      // maps of members
	places   []int    // of each member, its cell or its map
	whole    strictjson.Reader
	inner    strictjson.Reader
	rest     strictjson.Object
	replaced int                 // halves of characters in maps
	wrong    []string            // members that have not the kind of their column
	entries  [][]entry           // memory of row.maps
	met      map[entryKey]bool   // entries that are not known to columns
	newKeys  []entryKey          // the same in their order
	names    map[string]struct{} // of a member whose nesting could make one name twice
	given    map[string]int      // headers of the record by name
}

func newDecoder(c *columns) *decoder {
	d := &decoder{layout: c.layout, columns: c, met: map[entryKey]bool{}, names: map[string]struct{}{}, given: map[string]int{}}
	for _, m := range c.layout.members {
		place := -1
		switch {
		case m.kind == record:
		case m.kind.isMap():
			place, d.maps = d.maps, d.maps+1
		default:
			place, d.scalars = d.scalars, d.scalars+1
		}
		d.places = append(d.places, place)
	}
	d.entries = make([][]entry, d.maps+1)
	return d
}

// decode sets to to the values of r. They point into the memory of r and d until the next decode.
func (d *decoder) decode(r *stream.Record, to *row) {
	d.begin(to)
	d.record(r, to)
	value := unsafe.String(unsafe.SliceData(r.Value), len(r.Value))
	err := d.message(r.Value, value, to)
	if err == nil && len(d.rest.Buf) > 1 {
		to.cells[d.scalars+atRest] = cell{kind: tree, text: string(d.rest.End())}
	}
	if err == nil && len(d.wrong) > 0 {
		err = errors.New(strings.Join(d.wrong, "; "))
	}
	if err != nil {
		to.cells[d.scalars+atError] = cell{kind: text, text: err.Error()}
	}
}

func (d *decoder) begin(to *row) {
	n := d.scalars + len(tail) + len(d.columns.list)
	if cap(to.cells) < n {
		to.cells = make([]cell, n)
	}
	to.cells = to.cells[:n]
	clear(to.cells)
	to.maps = append(to.maps[:0], make([][]entry, d.maps+1)...)
	d.rest, d.wrong, d.replaced = strictjson.NewObject(d.rest.Buf[:0]), d.wrong[:0], 0
}

// record fills the columns of the record.
func (d *decoder) record(r *stream.Record, to *row) {
	at := to.cells[d.scalars:]
	at[atPartition], at[atOffset] = cell{kind: integer, int: int64(r.Partition)}, cell{kind: integer, int: r.Offset}
	if ms := r.Time.UnixMilli(); ms != -1 { // a producer gave none
		at[atTimestamp] = cell{kind: integer, int: ms}
	}
	if r.Key != nil {
		at[atKey] = cell{kind: text, text: readable(r.Key)}
	}
	list := d.entries[d.maps][:0]
	clear(d.given)
	for _, h := range r.Headers {
		c := cell{}
		if h.Value != nil {
			c = cell{kind: text, text: readable(h.Value)}
		}
		list = append(list, entry{d.distinct(strings.ToValidUTF8(h.Key, "\uFFFD")), c})
	}
	d.entries[d.maps], to.maps[d.maps] = list, list[:len(list):len(list)]
}

// distinct returns the name of a header, or for one that is given again its name and a number: a
// map has a name once.
func (d *decoder) distinct(name string) string {
	is := name
	for d.given[is] > 0 {
		d.given[name]++
		is = fmt.Sprintf("%s#%d", name, d.given[name])
	}
	d.given[is]++
	return is
}

// readable is b as text. Bytes that are no text become base64 behind a mark.
func readable(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return "base64:" + base64.StdEncoding.EncodeToString(b)
}

// message fills the columns of the message. The payload is kept where it could not be read whole.
func (d *decoder) message(raw []byte, value string, to *row) error {
	payload := &to.cells[d.scalars+atPayload]
	if raw == nil {
		return nil // a tombstone has no payload
	}
	if d.layout.binary {
		*payload = cell{kind: text, text: value}
		return nil
	}
	r := &d.whole
	r.Reset(value, limits)
	var err error
	switch {
	case !utf8.ValidString(value):
		err = errors.New("it is no UTF-8")
	case r.Kind() != strictjson.KindObject:
		r.Object() // says what it is instead
		if err = r.Err(); err == nil {
			err = errors.New("it is null")
		}
	default:
		for r.Object(); r.Key(); {
			d.member(r, to)
		}
		err = r.End()
	}
	if err != nil {
		d.forget(to)
		*payload = cell{kind: text, text: value}
		return fmt.Errorf("not read: %w", err)
	}
	if r.Replaced()+d.replaced > 0 {
		*payload = cell{kind: text, text: value}
		d.wrong = append(d.wrong, "half characters are replaced")
	}
	return nil
}

// forget clears what was read of a message before its error.
func (d *decoder) forget(to *row) {
	clear(to.cells[:d.scalars])
	clear(to.cells[d.scalars+len(tail):])
	clear(to.maps[:d.maps])
	d.rest, d.wrong = strictjson.NewObject(d.rest.Buf[:0]), d.wrong[:0]
}

// member reads the member that r has stepped to. What has no column goes to the rest as it is.
func (d *decoder) member(r *strictjson.Reader, to *row) {
	name := r.Name()
	i, known := d.layout.index[name]
	if !known || strings.Contains(name, ".") {
		d.keep(name, r.Raw())
		return
	}
	switch m := d.layout.members[i]; {
	case m.kind.isMap():
		raw := r.Raw()
		d.object(name, i, raw, to)
	case m.kind == record:
		d.children(name, r.Raw(), to)
	default:
		c, raw := scalar(r, m.kind)
		to.cells[d.places[i]] = c
		d.differs(name, m.kind, c, raw)
	}
}

// keep puts a member into the rest.
func (d *decoder) keep(name, raw string) {
	d.rest.EscapedKey(name)
	d.rest.Buf = append(d.rest.Buf, raw...)
}

// differs keeps a member whose column does not say all, and says so where the column says nothing.
func (d *decoder) differs(name string, k kind, c cell, raw string) {
	if raw == "" {
		return
	}
	d.keep(name, raw)
	if c.kind == none {
		d.wrong = append(d.wrong, name+" is not "+wanted[k])
	}
}

var wanted = map[kind]string{text: "a text", number: "a number", integer: "a whole number", flag: "true or false", tree: "an array or an object",
	facts: "an object with names that are given once", numbers: "an object of numbers", integers: "an object of whole numbers", texts: "an object of texts", record: "an object as the schema has it"}

// scalar reads a value for a column of kind k. It also returns the value's JSON where the column
// does not say all: it has another kind, digits that a 64-bit float rounds, or a time that is not
// written as milliseconds in UTC.
func scalar(r *strictjson.Reader, k kind) (cell, string) {
	switch is := r.Kind(); {
	case is == strictjson.KindNull:
		r.Null()
		return cell{}, ""
	case k == text && is == strictjson.KindString:
		return cell{kind: text, text: r.Text()}, ""
	case k == flag && is == strictjson.KindBool:
		c := cell{kind: integer}
		if r.Bool() {
			c.int = 1
		}
		return c, ""
	case k == tree && (is == strictjson.KindArray || is == strictjson.KindObject):
		return cell{kind: tree, text: r.Raw()}, ""
	case k == number && is == strictjson.KindNumber:
		f, digits := r.Exact()
		if digits != "" {
			f, _ = strconv.ParseFloat(digits, 64)
		}
		return cell{kind: number, num: f}, digits
	case k == integer && is == strictjson.KindNumber:
		raw := r.NumberText()
		i, err := strconv.ParseInt(raw, 10, 64)
		if err != nil {
			return cell{}, raw
		}
		return cell{kind: integer, int: i}, ""
	case k == moment && is == strictjson.KindString:
		return instant(r.Text())
	}
	return cell{}, r.Raw()
}

func instant(s string) (cell, string) {
	t, err := event.ParseTime(s)
	if err != nil {
		return cell{}, string(strictjson.AppendString(nil, s))
	}
	c := cell{kind: integer, int: int64(t)}
	if t.String() == s {
		return c, ""
	}
	return c, string(strictjson.AppendString(nil, s))
}
