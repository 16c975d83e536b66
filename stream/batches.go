package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sort"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Byte offsets of a record batch's fields, and bits of its attributes.
const (
	batchLength    = 8 // counts the bytes after this field
	batchMagic     = 16
	batchChecksum  = 17
	batchAttribute = 21
	batchLastDelta = 23
	batchFirstTime = 27
	batchMaxTime   = 35
	batchProducer  = 43
	batchCount     = 57
	batchRecords   = 61

	compressionBits = 0x07
	appendTimeBit   = 0x08
	transactionBit  = 0x10
	controlBit      = 0x20

	abortMarker = 0
)

// maxUnpacked bounds the bytes of a batch after decompression.
const maxUnpacked = 256 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errCorrupt = errors.New("its records cannot be read")

// unpacker decodes the record batches of a fetch's answer. It leaves out control batches and the
// batches of aborted transactions.
type unpacker struct {
	partition int
	from      int64 // earlier records are left out

	// transactions that begin behind the current batch, by first offset
	aborted   []kmsg.FetchResponseTopicPartitionAbortedTransaction
	aborting  map[int64]bool // producers with an aborted transaction at the current batch
	headers   []Header       // memory for the headers of the next records
	headerKey []string       // of the last record, reused since records hardly differ in them
}

// unpack appends the records of set to dst. They point into set. next is the offset behind the last
// whole batch, or u.from when there is none. A batch may end behind its last record, since
// compaction removes records and keeps the batch's range.
func (u *unpacker) unpack(dst []Record, set []byte) (records []Record, next int64, err error) {
	next = u.from
	if u.aborting == nil && len(u.aborted) > 0 {
		u.aborting = map[int64]bool{}
	}
	sort.Slice(u.aborted, func(i, j int) bool { return u.aborted[i].FirstOffset < u.aborted[j].FirstOffset })
	for len(set) >= batchMagic+1 {
		base, size := int64(binary.BigEndian.Uint64(set)), int64(int32(binary.BigEndian.Uint32(set[batchLength:])))
		if magic := set[batchMagic]; magic != 2 {
			return dst, next, fmt.Errorf("the batch at offset %d is of message format %d: only that of Kafka 0.11 and newer (2) can be read", base, magic)
		}
		if size < batchRecords-batchLength-4 {
			return dst, next, fmt.Errorf("the batch at offset %d is %d bytes long: %w", base, size, errCorrupt)
		}
		if size > int64(len(set)-batchLength-4) {
			break // the answer ends within the batch: the next fetch brings it again
		}
		batch := set[:batchLength+4+size]
		set = set[len(batch):]
		if dst, err = u.batch(dst, batch, base); err != nil {
			return dst, next, fmt.Errorf("the batch at offset %d: %w", base, err)
		}
		next = max(next, base+int64(int32(binary.BigEndian.Uint32(batch[batchLastDelta:])))+1)
	}
	return dst, next, nil
}

// batch appends the records of one batch.
func (u *unpacker) batch(dst []Record, b []byte, base int64) ([]Record, error) {
	if sum := crc32.Checksum(b[batchAttribute:], castagnoli); sum != binary.BigEndian.Uint32(b[batchChecksum:]) {
		return dst, fmt.Errorf("%w: the checksum does not match", errCorrupt)
	}
	attributes := binary.BigEndian.Uint16(b[batchAttribute:])
	last := base + int64(int32(binary.BigEndian.Uint32(b[batchLastDelta:])))
	producer := int64(binary.BigEndian.Uint64(b[batchProducer:]))
	for len(u.aborted) > 0 && u.aborted[0].FirstOffset <= last {
		u.aborting[u.aborted[0].ProducerID] = true
		u.aborted = u.aborted[1:]
	}
	if attributes&controlBit != 0 {
		if isAbort(b[batchRecords:]) {
			delete(u.aborting, producer)
		}
		return dst, nil
	}
	if attributes&transactionBit != 0 && u.aborting[producer] || last < u.from {
		return dst, nil
	}
	body := b[batchRecords:]
	if c := attributes & compressionBits; c != 0 {
		var err error
		if body, err = decompress(kafka.Compression(c), body); err != nil {
			return dst, err
		}
	}
	count := int(int32(binary.BigEndian.Uint32(b[batchCount:])))
	times := stamps{first: int64(binary.BigEndian.Uint64(b[batchFirstTime:]))}
	if attributes&appendTimeBit != 0 { // the broker's clock: one time for the whole batch
		times.all, times.same = int64(binary.BigEndian.Uint64(b[batchMaxTime:])), true
	}
	return u.records(dst, body, base, count, times)
}

// stamps are the times of a batch's records.
type stamps struct {
	first int64 // base of the records' differences
	all   int64 // time of every record, when same
	same  bool
}

func (s stamps) of(delta int64) time.Time {
	ms := s.first + delta
	if s.same {
		ms = s.all
	}
	if ms <= 0 {
		return time.Time{} // the producer gave none
	}
	return time.UnixMilli(ms)
}

// isAbort tells whether the only record of a control batch marks an abort.
func isAbort(records []byte) bool {
	s := scan{b: records}
	s.varint() // length
	s.skip(1)
	s.varint()
	s.varint()
	key := s.bytes()
	return !s.bad && len(key) >= 4 && binary.BigEndian.Uint16(key[2:]) == abortMarker
}

func (u *unpacker) records(dst []Record, body []byte, base int64, count int, times stamps) ([]Record, error) {
	s := scan{b: body}
	for i := range count {
		size := s.varint()
		if s.bad || size < 0 || size > int64(len(s.b)) {
			return dst, errCorrupt
		}
		record := scan{b: s.b[:size]}
		s.b = s.b[size:]
		record.skip(1) // attributes, not used
		at := times.of(record.varint())
		offset := base + record.varint()
		key, value := record.bytes(), record.bytes()
		if offset < u.from && !record.bad {
			continue
		}
		headers := u.readHeaders(&record, count-i)
		if record.bad {
			return dst, errCorrupt
		}
		dst = append(dst, Record{Partition: u.partition, Offset: offset, Key: key, Value: value, Time: at, Appended: times.same, Headers: headers})
	}
	return dst, nil
}

// readHeaders reads a record's headers. rest counts the batch's records from this one on.
func (u *unpacker) readHeaders(s *scan, rest int) []Header {
	n := s.varint()
	if n == 0 || s.bad {
		return nil
	}
	if n < 0 || n > int64(len(s.b)) {
		s.bad = true
		return nil
	}
	if int64(cap(u.headers)-len(u.headers)) < n {
		u.headers = make([]Header, 0, max(int(n), min(int(n)*rest, 1024)))
	}
	begin := len(u.headers)
	for i := range int(n) {
		key := s.bytes()
		if i == len(u.headerKey) {
			u.headerKey = append(u.headerKey, "")
		}
		if u.headerKey[i] != string(key) {
			u.headerKey[i] = string(key)
		}
		u.headers = append(u.headers, Header{u.headerKey[i], s.bytes()})
		if s.bad {
			return nil
		}
	}
	return u.headers[begin:len(u.headers):len(u.headers)]
}

func decompress(c kafka.Compression, packed []byte) ([]byte, error) {
	codec := c.Codec()
	if codec == nil {
		return nil, fmt.Errorf("it is compressed by a codec that is not known (%d)", c)
	}
	r := codec.NewReader(bytes.NewReader(packed))
	defer r.Close()
	var out bytes.Buffer
	out.Grow(4 * len(packed))
	if _, err := out.ReadFrom(io.LimitReader(r, maxUnpacked+1)); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errCorrupt, codec.Name(), err)
	}
	if out.Len() > maxUnpacked {
		return nil, fmt.Errorf("unpacked it has more than %d bytes", maxUnpacked)
	}
	return out.Bytes(), nil
}

// scan reads the fields of records. After a malformed field it is bad and reads zeros.
type scan struct {
	b   []byte
	bad bool
}

func (s *scan) varint() int64 {
	if len(s.b) > 0 && s.b[0] < 0x80 { // the usual case
		v := s.b[0]
		s.b = s.b[1:]
		return int64(v>>1) ^ -int64(v&1)
	}
	v, n := binary.Varint(s.b)
	if n <= 0 {
		s.bad, s.b = true, nil
		return 0
	}
	s.b = s.b[n:]
	return v
}

func (s *scan) skip(n int) {
	if n > len(s.b) {
		s.bad, s.b = true, nil
		return
	}
	s.b = s.b[n:]
}

// bytes reads a length and so many bytes. The length -1 stands for nil.
func (s *scan) bytes() []byte {
	n := s.varint()
	switch {
	case s.bad || n == -1:
		return nil
	case n < 0 || n > int64(len(s.b)):
		s.bad, s.b = true, nil
		return nil
	}
	b := s.b[:n:n]
	s.b = s.b[n:]
	return b
}
