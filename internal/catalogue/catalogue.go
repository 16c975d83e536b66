// Package catalogue keeps the items of a catalogue in memory, as its topic tells them, and finds
// those among which a request may choose.
//
// One goroutine changes a Catalogue, its follower. Readers take a View, which never changes, and no
// lock. A View holds items by columns: an item is an index into the different values of each field,
// so that a filter looks at each different value once, and a vector of a value serves all items
// that have it.
package catalogue

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/notify"
	"github.com/clickloop/clickloop/model"
)

// Config bounds a catalogue.
type Config struct {
	MaxItems int // further ones are not taken
	MaxBytes int // of memory, about; further items are not taken
}

// chunkItems is how many items, or different values, are copied and replaced together.
const chunkItems = 1024

// maxColumns bounds the different fields of all items: a network knows 64 fields.
const maxColumns = 64

// View is a catalogue at one moment.
type View struct {
	Columns []*Column
	chunks  []*chunk
	slots   int // in use, or free behind ones that are in use
	live    int
	bytes   int
	widest  int  // fields that an item has had at most
	valued  bool // some item's value is not 1, or was not
}

// Items is how many items there are.
func (v *View) Items() int { return v.live }

// Widest is how many fields an item may have.
func (v *View) Widest() int { return v.widest }

// chunk is the items of some slots. It does not change once a View has it.
type chunk struct {
	ids    [chunkItems]string // empty: no item
	live   bitmap
	values [chunkItems]float64
	// by column: the places of the items' values, 0 for none; nil: no item has any
	fields [][]uint32
}

// bitmap has a bit for each item of a chunk.
type bitmap [chunkItems / 64]uint64

func (b *bitmap) set(i uint32, on bool) {
	b[i/64] &^= 1 << (i % 64)
	if on {
		b[i/64] |= 1 << (i % 64)
	}
}

// Column is a field that items have.
type Column struct {
	Name   string
	hash   uint64 // model.FieldHash of the name
	chunks []*values
	places int // in use, or free between ones that are in use
}

// values are some different values of a field. Place 0 of the first is for none.
type values struct{ of [chunkItems]event.Value }

func (c *Column) value(place uint32) *event.Value {
	return &c.chunks[place/chunkItems].of[place%chunkItems]
}

// campaignColumn is the place of the field campaign among a View's columns.
const campaignColumn = 0

// Catalogue is the items of one topic.
type Catalogue struct {
	Name string
	cfg  Config
	view atomic.Pointer[View]
	// Changed fires when there is another View.
	Changed notify.Broadcast

	// the writer's
	next  View
	own   map[*chunk]bool  // copied since the last View
	ownOf map[*values]bool // likewise
	sets  []*dictionary    // by column
	free  []uint32         // slots
	bytes int

	filters filters

	mu    sync.RWMutex      // the writer's, to change slots
	slots map[string]uint32 // by id; a View may be older
}

// dictionary is the different values of a column.
type dictionary struct {
	places map[string]uint32
	uses   []int32 // by place
	keys   []string
	free   []uint32
}

// New returns an empty catalogue.
func New(name string, cfg Config) *Catalogue {
	c := &Catalogue{Name: name, cfg: cfg, slots: map[string]uint32{}, own: map[*chunk]bool{}, ownOf: map[*values]bool{}}
	c.column("campaign")
	c.publish()
	return c
}

// View returns the newest View.
func (c *Catalogue) View() *View { return c.view.Load() }

// publish makes what was changed the newest View. What it holds is copied before it changes again.
func (c *Catalogue) publish() {
	v := c.next
	v.bytes = c.bytes
	v.Columns, v.chunks = slices.Clone(v.Columns), slices.Clone(v.chunks)
	for i, col := range v.Columns {
		copied := *col
		copied.chunks = slices.Clone(col.chunks)
		v.Columns[i] = &copied
	}
	clear(c.own)
	clear(c.ownOf)
	c.view.Store(&v)
	c.Changed.Fire()
}

// Full is returned by Put for an item that would exceed a bound.
type Full struct{ Reason string }

func (f *Full) Error() string { return f.Reason }

// Bytes that an item and a different value take beside their texts, about: their places, their
// vectors, and the maps that find them.
const (
	itemBytes  = 400
	valueBytes = 300
)

// Takes returns a *Full when the catalogue has no room for so many items more, of which id is the
// last. An item that it has already is taken always.
func (c *Catalogue) Takes(id string, more int) error {
	v := c.View()
	if _, ok := c.Find(v, id); ok {
		return nil
	}
	if v.live+more > c.cfg.MaxItems {
		return &Full{fmt.Sprintf("the catalogue takes at most %d items, and has %d", c.cfg.MaxItems, v.live)}
	}
	if v.bytes >= c.cfg.MaxBytes {
		return &Full{fmt.Sprintf("the catalogue takes at most %d bytes of memory, and has %d", c.cfg.MaxBytes, v.bytes)}
	}
	return nil
}

// Bytes is how much memory the catalogue takes, about.
func (c *Catalogue) Bytes() int64 { return int64(c.View().bytes) }

// put takes an item into the next View. The error is a *Full.
func (c *Catalogue) put(i *event.Item) error {
	slot, old := c.slots[i.ID]
	if !old && c.next.live >= c.cfg.MaxItems {
		return &Full{fmt.Sprintf("the catalogue has %d items already, and takes no more", c.cfg.MaxItems)}
	}
	if !old && c.bytes >= c.cfg.MaxBytes {
		return &Full{fmt.Sprintf("the catalogue takes %d bytes already, and takes no more items", c.cfg.MaxBytes)}
	}
	for _, f := range i.Fields {
		if c.find(f.Name) < 0 && len(c.next.Columns) >= maxColumns {
			return &Full{fmt.Sprintf("the field %.100q is one too many: the items of the catalogue have %d different fields already", f.Name, maxColumns-1)}
		}
		c.column(f.Name)
	}
	if old {
		c.drop(slot)
	} else {
		slot = c.take(strings.Clone(i.ID))
	}
	ch := c.writable(slot)
	ch.values[slot%chunkItems] = i.Value
	if i.Campaign != "" {
		c.set(slot, campaignColumn, event.Value{Kind: event.String, Str: i.Campaign})
	}
	for _, f := range i.Fields {
		if at := c.find(f.Name); at != campaignColumn {
			c.set(slot, at, f.Value)
		}
	}
	c.next.valued = c.next.valued || i.Value != 1
	c.next.widest = max(c.next.widest, len(i.Fields))
	return nil
}

// take gives an id a slot.
func (c *Catalogue) take(id string) uint32 {
	slot := uint32(c.next.slots)
	if n := len(c.free); n > 0 {
		slot, c.free = c.free[n-1], c.free[:n-1]
	} else {
		c.next.slots++
	}
	if int(slot/chunkItems) == len(c.next.chunks) {
		added := &chunk{fields: make([][]uint32, len(c.next.Columns))}
		c.next.chunks = append(c.next.chunks, added)
		c.own[added] = true
	}
	c.mu.Lock()
	c.slots[id] = slot
	c.mu.Unlock()
	ch := c.writable(slot)
	ch.ids[slot%chunkItems] = id
	ch.live.set(slot%chunkItems, true)
	c.next.live++
	c.bytes += itemBytes + 2*len(id)
	return slot
}

// delete removes an item from the next View, and says whether it was there.
func (c *Catalogue) delete(id string) bool {
	slot, ok := c.slots[id]
	if !ok {
		return false
	}
	c.drop(slot)
	ch := c.writable(slot)
	ch.ids[slot%chunkItems] = ""
	ch.live.set(slot%chunkItems, false)
	c.mu.Lock()
	delete(c.slots, id)
	c.mu.Unlock()
	c.free = append(c.free, slot)
	c.next.live--
	c.bytes -= itemBytes + 2*len(id)
	return true
}

// drop takes all values from a slot.
func (c *Catalogue) drop(slot uint32) {
	ch := c.writable(slot)
	for at, places := range ch.fields {
		if places == nil || places[slot%chunkItems] == 0 {
			continue
		}
		c.release(at, places[slot%chunkItems])
		places[slot%chunkItems] = 0
	}
}

// writable returns the chunk of a slot as the next View may have it.
func (c *Catalogue) writable(slot uint32) *chunk {
	at := slot / chunkItems
	ch := c.next.chunks[at]
	if c.own[ch] {
		return ch
	}
	copied := *ch
	copied.fields = make([][]uint32, len(ch.fields))
	for i, places := range ch.fields {
		copied.fields[i] = slices.Clone(places)
	}
	c.next.chunks[at], c.own[&copied] = &copied, true
	return &copied
}

// find returns the place of a column, or -1.
func (c *Catalogue) find(name string) int {
	return slices.IndexFunc(c.next.Columns, func(col *Column) bool { return col.Name == name })
}

// column makes a column unless there is one.
func (c *Catalogue) column(name string) {
	if c.find(name) >= 0 {
		return
	}
	name = strings.Clone(name)
	first := &values{}
	c.next.Columns = append(c.next.Columns, &Column{Name: name, hash: model.FieldHash(name), chunks: []*values{first}, places: 1})
	c.sets = append(c.sets, &dictionary{places: map[string]uint32{}, uses: []int32{0}, keys: []string{""}})
}

// set gives a slot a value in a column.
func (c *Catalogue) set(slot uint32, column int, v event.Value) {
	ch := c.writable(slot)
	for len(ch.fields) <= column {
		ch.fields = append(ch.fields, nil)
	}
	if ch.fields[column] == nil {
		ch.fields[column] = make([]uint32, chunkItems)
	}
	ch.fields[column][slot%chunkItems] = c.use(column, v)
}

// use returns the place of a value, which it gives a place if it has none.
func (c *Catalogue) use(column int, v event.Value) uint32 {
	d := c.sets[column]
	key := append(v.AppendJSON(nil), byte(v.Kind))
	if place, ok := d.places[string(key)]; ok {
		d.uses[place]++
		return place
	}
	place := uint32(len(d.keys))
	if n := len(d.free); n > 0 {
		place, d.free = d.free[n-1], d.free[:n-1]
	} else {
		d.keys, d.uses = append(d.keys, ""), append(d.uses, 0)
		c.next.Columns[column].places = len(d.keys)
	}
	d.keys[place], d.uses[place] = string(key), 1
	d.places[d.keys[place]] = place
	*c.writableValue(column, place) = cloneValue(v)
	c.bytes += valueBytes + 3*len(key)
	return place
}

// release gives up one use of a value.
func (c *Catalogue) release(column int, place uint32) {
	d := c.sets[column]
	if d.uses[place]--; d.uses[place] > 0 {
		return
	}
	c.bytes -= valueBytes + 3*len(d.keys[place])
	delete(d.places, d.keys[place])
	d.keys[place] = ""
	d.free = append(d.free, place)
}

// writableValue returns the place of a value as the next View may have it.
func (c *Catalogue) writableValue(column int, place uint32) *event.Value {
	col := c.next.Columns[column]
	at := place / chunkItems
	if int(at) == len(col.chunks) {
		col.chunks = append(col.chunks, &values{})
		c.ownOf[col.chunks[at]] = true
	}
	if !c.ownOf[col.chunks[at]] {
		copied := *col.chunks[at]
		col.chunks[at] = &copied
		c.ownOf[&copied] = true
	}
	return &col.chunks[at].of[place%chunkItems]
}

// cloneValue copies a value's texts, which are parts of a record.
func cloneValue(v event.Value) event.Value {
	v.Str = strings.Clone(v.Str)
	v.List = slices.Clone(v.List)
	for i := range v.List {
		v.List[i].Token = strings.Clone(v.List[i].Token)
	}
	return v
}
