package model

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// each gives the pieces of the copy in their order.
func (s *Capture) each(do func(b []byte)) {
	if !s.done {
		panic("BUG: a capture is written before it is done")
	}
	do(s.head)
	for _, t := range s.sections() {
		skip := !s.full && s.c.index.exact && (t == &s.a || t == &s.b)
		for i, b := range t.slabs {
			n := min(slabRecords, s.tokens-i*slabRecords)
			if !skip {
				do(b[:n*t.size])
				continue
			}
			for k := range n { // records without a token have no place in a snapshot
				if binary.LittleEndian.Uint64(s.keys.slabs[i][8*k:]) != 0 {
					do(b[k*t.size:][:t.size])
				}
			}
		}
	}
	do(s.layers)
	count := &enc{}
	count.num(s.slots)
	do(count.b)
	for _, b := range s.sparse.full {
		do(b)
	}
	do(s.sparse.b)
	do(s.tail)
}

// WriteTo writes what Net.WriteTo would have written at the moment of StartCapture. Step must have
// returned true.
func (s *Capture) WriteTo(w io.Writer) (n int64, err error) {
	sum := sha256.New()
	write := func(b []byte) {
		if err == nil {
			var k int
			k, err = w.Write(b)
			n += int64(k)
		}
	}
	write([]byte(fileMagic))
	s.each(func(b []byte) {
		sum.Write(b)
		write(b)
	})
	write(sum.Sum(nil))
	if err != nil {
		return n, fmt.Errorf("cannot write the model: %w", err)
	}
	return n, nil
}

// AppendTo appends the message that AppendSnapshot would have made at the moment of StartSnapshot.
// Step must have returned true.
func (s *Capture) AppendTo(dst []byte) []byte {
	from := len(dst)
	dst = appendBits(append(dst, snapshotMagic...), s.half)
	s.each(func(b []byte) { dst = append(dst, b...) })
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[from:], castagnoli))
}
