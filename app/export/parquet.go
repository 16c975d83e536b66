package export

import (
	"bytes"
	"io"
	"reflect"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// parquetTable writes tables as Parquet: columns in our order, compressed by zstd.
type parquetTable struct {
	columns []column
	schema  *parquet.Schema
	writer  *parquet.GenericWriter[any]
	leaves  []*parquet.ColumnWriter
}

// compression has the memory of its encoders for all files.
var compression = &zstd.Codec{}

func newParquet(columns []column, w io.Writer) *parquetTable {
	var root group
	for _, c := range columns {
		root.add(c.name, node(c))
	}
	t := &parquetTable{columns: columns, schema: parquet.NewSchema("row", &root)}
	t.writer = parquet.NewGenericWriter[any](w, t.schema, parquet.Compression(compression), parquet.CreatedBy("clickloop", "1", "export"))
	t.leaves = t.writer.ColumnWriters()
	return t
}

// node is the type of a column. Every column may be null.
func node(c column) parquet.Node {
	words := func() parquet.Node { return parquet.Optional(dictionary(parquet.String())) }
	switch c.kind {
	case number:
		return parquet.Optional(dictionary(parquet.Leaf(parquet.DoubleType)))
	case integer:
		return parquet.Optional(parquet.Int(64))
	case flag:
		return parquet.Optional(parquet.Leaf(parquet.BooleanType))
	case moment:
		return parquet.Optional(parquet.Timestamp(parquet.Millisecond))
	case bytesKind:
		return parquet.Optional(parquet.Leaf(parquet.ByteArrayType))
	case numbers:
		return mapOf(parquet.Optional(parquet.Leaf(parquet.DoubleType)))
	case integers:
		return mapOf(parquet.Optional(parquet.Int(64)))
	case texts:
		return mapOf(words())
	case facts:
		var value group
		value.add("number", parquet.Optional(dictionary(parquet.Leaf(parquet.DoubleType))))
		value.add("text", words())
		value.add("json", words())
		return mapOf(&value)
	}
	if c.unique {
		return parquet.Optional(parquet.String())
	}
	return words()
}

func dictionary(n parquet.Node) parquet.Node { return parquet.Encoded(n, &parquet.RLEDictionary) }

func mapOf(value parquet.Node) parquet.Node {
	return parquet.Optional(parquet.Map(dictionary(parquet.String()), value))
}

// group is a parquet.Group whose fields have our order: that of Group is alphabetical.
type group struct {
	parquet.Group
	fields []parquet.Field
}

func (g *group) add(name string, n parquet.Node) {
	if g.Group == nil {
		g.Group = parquet.Group{}
	}
	g.Group[name] = n
	g.fields = append(g.fields, &namedNode{n, name})
}

// Fields returns the fields in the order in which they were added.
func (g *group) Fields() []parquet.Field { return g.fields }

type namedNode struct {
	parquet.Node
	name string
}

func (f *namedNode) Name() string { return f.name }

// Value is not called: rows are written by column.
func (f *namedNode) Value(base reflect.Value) reflect.Value {
	return base.MapIndex(reflect.ValueOf(f.name))
}

var _ parquet.Field = (*namedNode)(nil)

// parquetBlock holds some rows by the columns of a file.
type parquetBlock struct {
	columns []column
	leaves  [][]parquet.Value
}

func (t *parquetTable) newBlock() block {
	return &parquetBlock{columns: t.columns, leaves: make([][]parquet.Value, len(t.leaves))}
}

func (t *parquetTable) write(b block) error {
	for i, values := range b.(*parquetBlock).leaves {
		if _, err := t.leaves[i].WriteRowValues(values); err != nil {
			return err
		}
	}
	return nil
}

func (t *parquetTable) close() error { return t.writer.Close() }

func (b *parquetBlock) reset() {
	for i := range b.leaves {
		b.leaves[i] = b.leaves[i][:0]
	}
}

// add adds a row. What the values point to must stay until the block is written.
func (b *parquetBlock) add(r *row) {
	leaf := 0
	for i := range b.columns {
		c := &b.columns[i]
		if c.kind.isMap() {
			leaf += b.addMap(leaf, c.kind, r.maps[c.cell])
			continue
		}
		b.put(leaf, valueOf(c.kind, &r.cells[c.cell]), 0, 1)
		leaf++
	}
}

// put adds a value to a leaf: at a repetition, and at the level that says it is there; a null has
// the level below.
func (b *parquetBlock) put(leaf int, v parquet.Value, repetition, level int) {
	if v.IsNull() {
		level--
	}
	b.leaves[leaf] = append(b.leaves[leaf], v.Level(repetition, level, leaf))
}

// addMap adds a map, and returns how many leaves it has. Levels are those of Dremel: 0 for a null
// map, 1 for an empty one, 2 for an entry, 3 for a value that is not null.
func (b *parquetBlock) addMap(leaf int, k kind, list []entry) int {
	leaves := 2
	if k == facts {
		leaves = 4
	}
	if len(list) == 0 {
		level := 1
		if list == nil {
			level = 0
		}
		for i := range leaves {
			b.leaves[leaf+i] = append(b.leaves[leaf+i], parquet.Value{}.Level(0, level, leaf+i))
		}
		return leaves
	}
	for i := range list {
		repetition := min(i, 1)
		b.put(leaf, bytesValue(list[i].name), repetition, 2)
		c := &list[i].cell
		if k != facts {
			b.put(leaf+1, valueOf(k.of(), c), repetition, 3)
			continue
		}
		for j, of := range [...]kind{number, text, tree} {
			v := parquet.Value{}
			if c.kind == of {
				v = valueOf(of, c)
			}
			b.put(leaf+1+j, v, repetition, 3)
		}
	}
	return leaves
}

// valueOf is a cell as a value of a column.
func valueOf(k kind, c *cell) parquet.Value {
	switch {
	case c.kind == none:
		return parquet.Value{}
	case k == number:
		return parquet.DoubleValue(c.num)
	case k == integer || k == moment:
		return parquet.Int64Value(c.int)
	case k == flag:
		return parquet.BooleanValue(c.int == 1)
	}
	return bytesValue(c.text)
}

// bytesValue does not copy s: the writer does.
func bytesValue(s string) parquet.Value {
	if s == "" {
		return parquet.ByteArrayValue([]byte{})
	}
	return parquet.ByteArrayValue(unsafe.Slice(unsafe.StringData(s), len(s)))
}

// commonMetadata is a Parquet file without rows that has all columns.
func commonMetadata(columns []column) ([]byte, error) {
	var b bytes.Buffer
	err := newParquet(columns, &b).close()
	return b.Bytes(), err
}
