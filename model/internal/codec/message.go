package codec

import (
	"encoding/binary"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// SumBytes is how long the checksum at the end of a message is.
const SumBytes = crc32.Size

// Sum goes on with a message's checksum, a CRC-32C.
func Sum(sum uint32, b []byte) uint32 { return crc32.Update(sum, castagnoli, b) }

// Seal appends the checksum of b[from:].
func Seal(b []byte, from int) []byte {
	return binary.LittleEndian.AppendUint32(b, Sum(0, b[from:]))
}

// Open reads a message in pieces, of which the last SumBytes bytes are its checksum. It returns a
// Decoder of the rest, and whether the checksum is right.
func Open(message [][]byte) (d *Decoder, intact bool) {
	left := -SumBytes
	for _, b := range message {
		left += len(b)
	}
	var body [][]byte
	var sum uint32
	var end []byte
	for _, b := range message {
		k := min(len(b), max(left, 0))
		left -= k
		sum = Sum(sum, b[:k])
		body, end = append(body, b[:k]), append(end, b[k:]...)
	}
	return NewDecoder(body...), NewDecoder(end).U32() == sum
}
