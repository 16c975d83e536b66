package event

import (
	"bytes"
	"fmt"
	"unsafe"
)

// SplitArray cuts a JSON array into the texts of its elements, which share b's memory. It checks no more of an element than where it ends. More than limit
// elements are an error, as is what is no array.
func SplitArray(b []byte, limit int) ([][]byte, error) {
	// The Reader keeps the text no longer than this call, and b does not change during it.
	var r Reader
	r.Reset(unsafe.String(unsafe.SliceData(b), len(b)), Limits{Bytes: len(b), Depth: 1})
	var parts [][]byte
	for r.Array(); r.Element(); {
		if len(parts) == limit {
			return nil, &Error{Reason: fmt.Sprintf("has too many elements: at most %d are allowed", limit)}
		}
		n := len(r.Raw())
		parts = append(parts, b[r.pos-n:r.pos:r.pos])
	}
	if err := r.End(); err != nil {
		return nil, err
	}
	return parts, nil
}

// SplitLines cuts JSON lines into lines, which share b's memory, leaving out empty ones. More than limit lines are an error.
func SplitLines(b []byte, limit int) ([][]byte, error) {
	var parts [][]byte
	for line := range bytes.Lines(b) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if len(parts) == limit {
			return nil, &Error{Reason: fmt.Sprintf("has too many lines: at most %d are allowed", limit)}
		}
		parts = append(parts, line)
	}
	return parts, nil
}
