package model

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"

	"github.com/clickloop/clickloop/model/internal/codec"
	"github.com/clickloop/clickloop/model/internal/table"
)

// stateWriter writes the whole state in its canonical form: the same learning gives the same bytes,
// however memory happens to lie. Without full it leaves out what only the optimizers need.
type stateWriter struct {
	*core
	e    *codec.Encoder
	full bool
}

// write writes, in this order: configuration and counts, fields with their samples of numbers, the
// tokens' keys, entries by arena, slots that are not zero, the dense weights, and the calibration.
func (w stateWriter) write() {
	w.head()
	w.tokens.EncodeKeys(w.e, w.full)
	w.entries()
	w.slots()
	w.tail()
}

// head writes the part before the tokens' keys.
func (w stateWriter) head() {
	e := w.e
	e.Text(encodeConfig(w.cfg))
	e.Num(int(w.examples))
	e.Bool(w.tokens.Pooled)
	e.Num(len(w.fields.hashes))
	for i, h := range w.fields.hashes {
		e.U64(h)
		w.fields.numbers[i].Encode(e, w.full)
	}
	e.Num(len(w.tokens.Keys) - 1)
	if w.full {
		w.tokens.EncodeFate(e)
	}
}

// entries writes the entries of tokens, arena by arena, then those of fields.
func (w stateWriter) entries() {
	fields := len(w.fields.hashes)
	for _, a := range w.byToken {
		for i := 1; i < a.Len; i++ {
			if !w.tokens.IsFree(uint32(i)) {
				a.Encode(w.e, uint32(i), fields, w.full)
			} else if w.full { // every entry has its place in a checkpoint
				w.e.Zeros(a.EntryBytes(fields))
			}
			w.e.Spill()
		}
	}
	w.layers()
}

// layers writes the entries of fields.
func (w stateWriter) layers() {
	for _, a := range w.byField {
		for i := range a.Len {
			a.Encode(w.e, uint32(i), len(w.fields.hashes), w.full)
			w.e.Spill()
		}
	}
}

// slots writes the hashed weights. Their number comes first, so they are gathered before.
func (w stateWriter) slots() {
	var c slotCopy
	c.begin(w.core, w.full, w.e.Half)
	c.step(math.MaxInt)
	w.e.Num(c.list.n)
	c.list.Each(w.e.Bytes)
}

// slotList encodes slots in their order, each with its distance from the one before.
type slotList struct {
	codec.Pieces
	n, last int
}

func (l *slotList) add(slot uint32, v []float32) {
	l.n++
	l.Room(binary.MaxVarintLen64 + 4*len(v))
	l.Num(int(slot) - l.last)
	l.last = int(slot)
	l.Weights(v)
}

// tail writes the part behind the hashed weights.
func (w stateWriter) tail() {
	w.encodeDense(w.e)
	w.calibration.encode(w.e, w.full)
	if w.full {
		w.e.Num(len(w.denseKept))
		w.e.F32s(w.denseKept)
		w.e.F64s(w.numKept)
		w.e.F64s(w.wins)
	}
}

// encodeDense writes the weights that have no key, whole.
func (w *weights) encodeDense(e *codec.Encoder) {
	e.Num(len(w.dense))
	e.Weights(w.dense)
	e.F64s(w.num)
	e.Num(len(w.pairs))
	for _, p := range w.pairs {
		e.Num(int(p))
	}
}

// readState reads what a stateWriter wrote into a new core. The configuration comes first and
// decides the layout; every count is checked against it before memory is taken.
func readState(d *codec.Decoder, full bool) (*core, error) {
	config, err := decodeConfig(d)
	if err != nil {
		return nil, err
	}
	c := newCore(config, full, d.Half)
	c.examples = int64(d.Num(0))
	c.tokens.Pooled = d.Bool()
	c.readFields(d)
	c.readEntries(d)
	c.readSlots(d)
	c.readTail(d)
	if err := d.End(); err != nil {
		return nil, err
	}
	return c, nil
}

// encodeConfig is the configuration as it stands in a checkpoint; its hash is the net's lineage.
func encodeConfig(c Config) []byte {
	b, err := json.Marshal(c)
	if err != nil {
		panic("BUG: a valid configuration cannot be encoded: " + err.Error())
	}
	return b
}

func decodeConfig(d *codec.Decoder) (config Config, err error) {
	text := d.Take(d.Num(1))
	if d.Err() != nil {
		return config, d.Err()
	}
	j := json.NewDecoder(bytes.NewReader(text))
	j.DisallowUnknownFields()
	if err := j.Decode(&config); err != nil {
		d.Fail("its configuration is %v", err)
	} else if config.Calibration.IsZero() { // left out
		config.Calibration.Kind = "none"
	}
	if d.Err() != nil {
		return config, d.Err()
	}
	if err := config.Validate(); err != nil {
		d.Fail("its configuration is not valid: %v", err)
	}
	return config, d.Err()
}

func (c *core) readFields(d *codec.Decoder) {
	n := d.Num(8)
	if n > c.cfg.MaxFields {
		d.Fail("%d fields where %d are allowed", n, c.cfg.MaxFields)
		return
	}
	for range n {
		h := d.U64()
		if c.fields.find(h) >= 0 {
			d.Fail("a field comes twice")
			return
		}
		c.fields.add(h)
		if c.fields.numbers[len(c.fields.numbers)-1].Decode(d, c.full); d.Err() != nil {
			return
		}
	}
	c.growFields(0)
}

// readEntries reads the tokens' keys, then all entries. In a checkpoint an expired token's entry
// has a place, which is left out here; in a snapshot it has none.
func (c *core) readEntries(d *codec.Decoder) {
	n := d.Num(8)
	if n > 1<<c.cfg.TableBits {
		d.Fail("%d tokens where %d are allowed", n, 1<<c.cfg.TableBits)
		return
	}
	if c.full {
		c.tokens.DecodeFate(d, n)
	}
	c.tokens.DecodeKeys(d, n, c.full)
	for _, a := range c.byToken {
		for range n {
			a.Add()
		}
		for i := uint32(1); int(i) < a.Len && d.Err() == nil; i++ {
			c.readEntry(d, a, i)
		}
	}
	for _, a := range c.byField {
		for i := 0; i < a.Len && d.Err() == nil; i++ {
			a.Decode(d, uint32(i), len(c.fields.hashes), c.full)
		}
	}
}

func (c *core) readEntry(d *codec.Decoder, a *table.Arena, i uint32) {
	fields := len(c.fields.hashes)
	if c.tokens.IsFree(i) {
		if c.full {
			d.Take(a.EntryBytes(fields))
		}
		return
	}
	a.Decode(d, i, fields, c.full)
	if c.full && a == &c.tokensJT { // no encoding carries the state for fields to come
		c.startVectors(a.At(i), c.tokens.Keys[i], fields, fields, -1)
		if m, ok := c.engine.(*mixture); ok {
			m.restoreSightings(a.At(i))
		}
	}
}

func (c *core) readSlots(d *codec.Decoder) {
	at := 0
	c.eachSlot(d, c.hashed.Stride, func(distance int) int { at += distance; return at }, func(slot uint32) {
		if c.full {
			d.F32s(c.hashed.Make(slot))
		} else {
			c.hashed.Decode(d, slot)
		}
	})
}

// eachSlot reads a list of slots of width floats. place gives the slot that a number stands for,
// and read reads its floats.
func (c *core) eachSlot(d *codec.Decoder, width int, place func(int) int, read func(slot uint32)) {
	n := d.Num(1 + d.WeightBytes(width))
	if n > 0 && width == 0 {
		d.Fail("it has hashed weights where none belong")
		return
	}
	for range n {
		slot := place(d.Num(0))
		if d.Err() != nil || slot >= 1<<c.hashed.Bits {
			d.Fail("a hashed weight is out of place")
			return
		}
		read(uint32(slot))
	}
}

func (c *core) readTail(d *codec.Decoder) {
	c.readDense(d, len(c.fields.hashes))
	if c.calibration.decode(d); !c.full {
		return
	}
	if n := d.Num(4); d.Err() == nil && n != len(c.denseKept) {
		d.Fail("it has %d optimizer values, not %d", n, len(c.denseKept))
		return
	}
	d.F32s(c.denseKept)
	d.Fill(c.numKept, "the optimizers' part")
	if c.wins = d.F64s(); len(c.wins) > c.cfg.MaxFields*c.cfg.MaxFields {
		d.Fail("it has too many pairs of fields")
	}
}

// readDense reads what encodeDense wrote of a net of so many fields.
func (w *weights) readDense(d *codec.Decoder, fields int) {
	if n := d.Num(2); d.Err() == nil && n != len(w.dense) {
		d.Fail("it has %d dense weights, not %d", n, len(w.dense))
		return
	}
	d.Weights(w.dense)
	d.Fill(w.num, "the dense part")
	list := make([]uint32, d.Num(1))
	for i := range list {
		v := d.Num(0)
		list[i] = uint32(v)
		if f, g := v>>16, v&0xffff; v >= 1<<32 || f >= g || g >= fields {
			d.Fail("a pair of fields is not known")
			return
		}
	}
	w.pairs = list
}
