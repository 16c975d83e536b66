package spool

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
)

// A segment is a header and records. A record is
//
//	mark    4 bytes, recordMark
//	length  4 bytes, of the record
//	number  8 bytes
//	crc     4 bytes, CRC-32C of length, number and record
//	record
//
// with numbers in little endian. The mark finds the next record behind a damaged one, and the
// numbers tell how many are missing.
const (
	segmentHeader = "clickloop spool1"
	segmentSuffix = ".spool"
	recordMark    = 0xc11c6b00
	headBytes     = 20
	maxRecord     = 16 << 20 // bytes of a record
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func segmentName(first int64) string { return fmt.Sprintf("%016x%s", first, segmentSuffix) }

func appendRecord(b []byte, number int64, record []byte) []byte {
	at := len(b)
	b = binary.LittleEndian.AppendUint32(b, recordMark)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(record)))
	b = binary.LittleEndian.AppendUint64(b, uint64(number))
	b = binary.LittleEndian.AppendUint32(b, checksum(b[at+4:at+16], record))
	return append(b, record...)
}

func checksum(head, record []byte) uint32 {
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, record)
}

// recordAt reads the record at the start of b, which is as long as size says. Size is 0 when none
// begins there. A record that is whole in length and damaged is nil.
func recordAt(b []byte) (record []byte, number int64, size int) {
	if len(b) < headBytes || binary.LittleEndian.Uint32(b) != recordMark {
		return nil, 0, 0
	}
	n := int(binary.LittleEndian.Uint32(b[4:]))
	if n > maxRecord || len(b)-headBytes < n {
		return nil, 0, 0
	}
	number, size = int64(binary.LittleEndian.Uint64(b[8:])), headBytes+n
	record = b[headBytes:size:size]
	if checksum(b[4:16], record) != binary.LittleEndian.Uint32(b[16:]) {
		record = nil
	}
	return record, number, size
}

// The position file has the number of the first record that is not settled, and its CRC-32C.
const positionBytes = 12

// readPosition returns false for a file that is empty or damaged: then every record is handed out
// again.
func readPosition(f *os.File) (settled int64, ok bool) {
	var b [positionBytes]byte
	if _, err := f.ReadAt(b[:], 0); err != nil || crc32.Checksum(b[:8], castagnoli) != binary.LittleEndian.Uint32(b[8:]) {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint64(b[:])), true
}

func writePosition(f *os.File, b *[positionBytes]byte, settled int64) error {
	binary.LittleEndian.PutUint64(b[:], uint64(settled))
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[:8], castagnoli))
	_, err := f.WriteAt(b[:], 0)
	return err
}
