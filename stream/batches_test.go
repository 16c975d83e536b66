package stream

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// batch makes a record batch of values, whose bytes are those that Kafka's documents give.
func batch(base int64, attributes uint16, producer int64, lastDelta int32, values ...string) []byte {
	var records []byte
	for i, v := range values {
		r := []byte{0}
		r = binary.AppendVarint(r, int64(i)) // of time
		r = binary.AppendVarint(r, int64(i)) // of offset
		r = binary.AppendVarint(r, -1)       // no key
		r = binary.AppendVarint(r, int64(len(v)))
		r = append(r, v...)
		r = binary.AppendVarint(r, 0)
		records = append(binary.AppendVarint(records, int64(len(r))), r...)
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(base))
	b = binary.BigEndian.AppendUint32(b, uint32(batchRecords-12+len(records)))
	b = append(b, 0, 0, 0, 0, 2, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, attributes)
	b = binary.BigEndian.AppendUint32(b, uint32(lastDelta))
	b = binary.BigEndian.AppendUint64(b, 1000)
	b = binary.BigEndian.AppendUint64(b, 5000)
	b = binary.BigEndian.AppendUint64(b, uint64(producer))
	b = append(b, 0, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(values)))
	b = append(b, records...)
	binary.BigEndian.PutUint32(b[batchChecksum:], crc32.Checksum(b[batchAttribute:], castagnoli))
	return b
}

func values(records []Record) string {
	var all []string
	for _, r := range records {
		all = append(all, string(r.Value))
	}
	return strings.Join(all, " ")
}

func TestEmptyBatchesAreCrossed(t *testing.T) {
	u := unpacker{from: 7}
	// 5 to 9 and 10, 11 were compacted away
	set := append(batch(5, 0, -1, 4), batch(12, 0, -1, 1, "a", "b")...)
	records, next, err := u.unpack(nil, set)
	if err != nil || values(records) != "a b" || next != 14 || records[0].Offset != 12 {
		t.Fatalf("%+v, next %d, %v", records, next, err)
	}
	records, next, err = (&unpacker{from: 7}).unpack(nil, set[:len(set)-1])
	if err != nil || len(records) != 0 || next != 10 {
		t.Errorf("with its second batch cut: %d records, next %d, %v; want none, 10", len(records), next, err)
	}
}

func TestTimesAreTheBrokersWhereItGivesThem(t *testing.T) {
	f := func(attributes uint16, first int64, want time.Time) {
		t.Helper()
		b := batch(0, attributes, -1, 0, "a")
		binary.BigEndian.PutUint64(b[batchFirstTime:], uint64(first))
		binary.BigEndian.PutUint32(b[batchChecksum:], crc32.Checksum(b[batchAttribute:], castagnoli))
		records, _, err := (&unpacker{}).unpack(nil, b)
		if err != nil || len(records) != 1 || !records[0].Time.Equal(want) {
			t.Errorf("attributes %d: %+v, %v; want %v", attributes, records, err, want)
		}
	}
	f(0, 1000, time.UnixMilli(1000))
	f(appendTimeBit, 1000, time.UnixMilli(5000))
	f(0, -1, time.Time{})
}

func TestAbortedTransactionsOfSeveralProducersAreLeftOut(t *testing.T) {
	aborted := func(producer, first int64) kmsg.FetchResponseTopicPartitionAbortedTransaction {
		return kmsg.FetchResponseTopicPartitionAbortedTransaction{ProducerID: producer, FirstOffset: first}
	}
	marker := func(base, producer int64, kind byte) []byte {
		// attributes, deltas, key of four bytes, no value, no headers
		r := []byte{0, 0, 0, 8, 0, 0, 0, kind, 0, 0}
		b := batch(base, transactionBit|controlBit, producer, 0)
		b = append(b, binary.AppendVarint(nil, int64(len(r)))...)
		b = append(b, r...)
		binary.BigEndian.PutUint32(b[batchLength:], uint32(len(b)-12))
		binary.BigEndian.PutUint32(b[batchChecksum:], crc32.Checksum(b[batchAttribute:], castagnoli))
		return b
	}
	var set []byte
	for _, b := range [][]byte{
		batch(10, transactionBit, 1, 0, "a1"), batch(11, transactionBit, 2, 0, "c2"), batch(12, 0, -1, 0, "plain"),
		marker(13, 1, 0), batch(14, transactionBit, 1, 0, "c1"), marker(15, 1, 1), marker(16, 2, 1),
		batch(17, transactionBit, 2, 0, "a2"), marker(18, 2, 0), batch(19, transactionBit, 2, 0, "c2 again"),
	} {
		set = append(set, b...)
	}
	u := unpacker{from: 11, aborted: []kmsg.FetchResponseTopicPartitionAbortedTransaction{aborted(2, 17), aborted(1, 3)}}
	records, next, err := u.unpack(nil, set)
	if err != nil || values(records) != "c2 plain c1 c2 again" || next != 20 {
		t.Errorf("%q, next %d, %v", values(records), next, err)
	}
}

func TestDamagedBatchesAreRefused(t *testing.T) {
	good := batch(3, 0, -1, 1, "a", "b")
	for i := range good {
		b := append([]byte(nil), good...)
		b[i] ^= 0x41
		records, _, err := (&unpacker{}).unpack(nil, b)
		inHead := i < 8 || i >= 12 && i < 16 // base offset and epoch lie outside of the checksum
		if cut := i >= 8 && i < 12; err == nil && !inHead && !(cut && len(records) == 0) {
			t.Errorf("byte %d is damaged: read %q", i, values(records))
		}
	}
	old := append([]byte(nil), good...)
	old[batchMagic] = 1
	if _, _, err := (&unpacker{}).unpack(nil, old); err == nil || !strings.Contains(err.Error(), "message format 1") {
		t.Errorf("an old format: %v", err)
	}
	unknown := batch(0, 5, -1, 0, "a")
	if _, _, err := (&unpacker{}).unpack(nil, unknown); err == nil || !strings.Contains(err.Error(), "codec") {
		t.Errorf("an unknown codec: %v", err)
	}
	for codec := uint16(1); codec <= 4; codec++ {
		if _, _, err := (&unpacker{}).unpack(nil, batch(0, codec, -1, 0, "not packed")); !errors.Is(err, errCorrupt) {
			t.Errorf("codec %d over bytes that are not packed: %v", codec, err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(batch(3, 0, -1, 1, "a", "b"))
	f.Add(batch(0, controlBit, 4, 0, "x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > batchRecords { // or nothing gets behind the checksum
			binary.BigEndian.PutUint32(b[batchLength:], uint32(len(b)-12))
			b[batchMagic] = 2
			binary.BigEndian.PutUint32(b[batchChecksum:], crc32.Checksum(b[batchAttribute:], castagnoli))
		}
		records, next, err := (&unpacker{from: 2}).unpack(nil, b)
		if err == nil && next < 2 {
			t.Errorf("next is %d", next)
		}
		for i := range records {
			if records[i].Offset < 2 {
				t.Errorf("offset %d", records[i].Offset)
			}
		}
	})
}
