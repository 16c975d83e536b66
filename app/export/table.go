package export

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"

	"github.com/clickloop/clickloop/stream"
)

// A format of files with columns. block holds some rows as the format has them, so that blocks are
// made concurrently and written in order.
type (
	table interface {
		newBlock() block
		write(block) error
		close() error
	}
	block interface {
		add(*row)
		reset()
	}
)

var (
	_ table = (*parquetTable)(nil)
	_ table = (*csvTable)(nil)
)

// blockRows is how many rows a block has.
const blockRows = 500

// tableOf begins a file.
func (e *exporter) tableOf(columns []column, w io.Writer) (table, error) {
	if e.cfg.Format == CSV {
		return newCSV(columns, w)
	}
	return newParquet(columns, w), nil
}

// discover gives columns to the entries of the records, in their order.
func (e *exporter) discover(records []stream.Record) {
	found := make([][]entryKey, (len(records)+blockRows-1)/blockRows)
	concurrently(len(found), func() func(int) {
		d, r := newDecoder(e.columns), &row{}
		return func(i int) {
			d.newKeys = nil
			clear(d.met)
			for j := range blockOf(records, i) {
				d.decode(&blockOf(records, i)[j], r)
			}
			found[i] = d.newKeys
		}
	})
	for _, keys := range found {
		e.columns.meet(keys)
	}
}

func blockOf(records []stream.Record, i int) []stream.Record {
	return records[i*blockRows : min((i+1)*blockRows, len(records))]
}

// concurrently calls work for 0 to n-1 in as many goroutines as there are processors. Each makes
// its own work.
func concurrently(n int, worker func() func(int)) {
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), n)
	for w := range workers {
		wg.Go(func() {
			work := worker()
			for i := w; i < n; i += workers {
				work(i)
			}
		})
	}
	wg.Wait()
}

// writeTable writes records as one file with columns.
func (e *exporter) writeTable(records []stream.Record, w io.Writer) error {
	columns := e.columns.table()
	t, err := e.tableOf(columns, w)
	if err != nil {
		return err
	}
	workers := runtime.GOMAXPROCS(0)
	blocks, decoders, rows := make([]block, workers), make([]*decoder, workers), make([]row, workers)
	for i := range blocks {
		blocks[i], decoders[i] = t.newBlock(), newDecoder(e.columns)
	}
	n := (len(records) + blockRows - 1) / blockRows
	for first := 0; first < n; first += workers {
		some := min(workers, n-first)
		concurrently(some, func() func(int) {
			return func(i int) {
				blocks[i].reset()
				part := blockOf(records, first+i)
				for j := range part {
					decoders[i].decode(&part[j], &rows[i])
					blocks[i].add(&rows[i])
				}
			}
		})
		for _, b := range blocks[:some] {
			if err := t.write(b); err != nil {
				return err
			}
		}
	}
	return t.close()
}

// writeLines writes records as one file of JSON lines.
func (e *exporter) writeLines(records []stream.Record, w io.Writer) error {
	l := lines{topic: e.manifest.Topic, envelope: e.cfg.Envelope, w: w}
	for i := range records {
		if err := l.add(&records[i]); err != nil {
			return err
		}
	}
	return l.close()
}

// batch holds the records that are read and not yet in files, by hour.
type batch struct {
	hours map[string][]stream.Record
	bytes int64
	rows  int64
}

// recordBytes is about what a record needs in memory beside its bytes.
const recordBytes = 256

func (b *batch) add(hour string, r stream.Record) {
	if b.hours == nil {
		b.hours = map[string][]stream.Record{}
	}
	b.hours[hour] = append(b.hours[hour], r)
	b.rows++
	b.bytes += int64(len(r.Key)+len(r.Value)) + recordBytes
}

// sorted returns the hours in order. It sorts each one's records by partition and offset.
func (b *batch) sorted() []string {
	var hours []string
	for hour, records := range b.hours {
		hours = append(hours, hour)
		slices.SortFunc(records, func(x, y stream.Record) int {
			return cmp.Or(cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Offset, y.Offset))
		})
	}
	slices.Sort(hours)
	return hours
}

// name is a file's name below the folder of the topic.
func (e *exporter) name(hour string) string {
	return fmt.Sprintf("hour=%s/part-%08d.%s", hour, e.manifest.Sequence+1, e.cfg.Format)
}
