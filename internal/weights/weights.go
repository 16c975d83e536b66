// Package weights is the form of the topic model.<network key>: messages with the weights of a
// network, cut into records. The learner writes it; scorers and tools read it.
//
// A message is a snapshot or a delta, in the form of package model. The headers of a record tell
// which part of which message it is. The parts of a delta follow one another. Between the parts of
// a snapshot there may be whole deltas that follow it, so that scorers that have no use for the
// snapshot need not wait for its end.
//
// A deposed learner may write for a while beside its successor, whose epoch is higher. A reader
// ignores records whose epoch is lower than one it has seen. A checksum covers the headers: an
// epoch that was damaged into a higher one would make readers ignore all messages after it.
package weights

import (
	"fmt"
	"hash/crc32"
	"strconv"

	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// PartBytes is the largest value of one record.
const PartBytes = 880_000

// Kinds of messages.
const (
	Snapshot = "snapshot" // all served weights
	Delta    = "delta"    // those that changed since the message before
)

// maxParts bounds a message to about 3.6 GB.
const maxParts = 4096

// Head tells which part of which message a record is.
type Head struct {
	Kind  string // Snapshot or Delta
	Epoch int64  // of the learner
	From  int64  // examples in the weights that a delta applies to
	To    int64  // examples in the weights that result
	Part  int64  // from 0
	Parts int64

	// Current, of a snapshot, says that it may replace weights that have learned more: its learner
	// has learned all examples that existed when it began, and not too few. When the examples topic
	// has lost its start, such a learner would never reach the number of the weights before. The
	// check does not cover it, so older scorers can ignore it.
	Current bool
}

const headerKind, headerCurrent = "kind", "current"

// Cut makes the records of a message. They share body, and carry extra headers.
func Cut(h Head, key string, body []byte, extra ...stream.Header) []stream.Record {
	return CutAt(PartBytes, h, key, body, extra...)
}

// CutAt is Cut with parts of another size.
func CutAt(size int, h Head, key string, body []byte, extra ...stream.Header) []stream.Record {
	h.Parts = max(int64((len(body)+size-1)/size), 1)
	records := make([]stream.Record, h.Parts)
	for i := range records {
		h.Part = int64(i)
		records[i] = stream.Record{Key: []byte(key), Value: body[i*size : min((i+1)*size, len(body))], Headers: append(h.headers(), extra...)}
	}
	return records
}

// number is a header that holds a number.
type number struct {
	name  string
	value *int64
}

// numbers lists the headers that hold numbers, in the order in which they are written.
func (h *Head) numbers(check *int64) []number {
	return []number{{"epoch", &h.Epoch}, {"from", &h.From}, {"to", &h.To}, {"part", &h.Part}, {"parts", &h.Parts}, {"check", check}}
}

func (h *Head) headers() []stream.Header {
	check := h.check()
	headers := []stream.Header{{Key: headerKind, Value: []byte(h.Kind)}}
	for _, n := range h.numbers(&check) {
		headers = append(headers, stream.Header{Key: n.name, Value: strconv.AppendInt(nil, *n.value, 10)})
	}
	if h.Current {
		headers = append(headers, stream.Header{Key: headerCurrent, Value: []byte("1")})
	}
	return headers
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// check is the CRC-32C of the values of the other headers, in the order in which they are written,
// with a space between them.
func (h *Head) check() int64 {
	text := fmt.Appendf(nil, "%s %d %d %d %d %d", h.Kind, h.Epoch, h.From, h.To, h.Part, h.Parts)
	return int64(crc32.Checksum(text, castagnoli))
}

// ParseHead reads the headers of a record, and ignores unknown ones.
func ParseHead(headers []stream.Header) (Head, error) {
	h, check := Head{Epoch: -1, From: -1, To: -1, Part: -1, Parts: -1}, int64(-1)
	numbers := h.numbers(&check)
	for i := range headers {
		name, value := headers[i].Key, headers[i].Value
		switch name {
		case headerKind:
			h.Kind = string(value)
		case headerCurrent:
			h.Current = string(value) == "1"
		}
		for _, n := range numbers {
			if n.name != name {
				continue
			}
			var err error
			if *n.value, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return h, fmt.Errorf("header %s is %.20q, want a number", name, value)
			}
		}
	}
	if h.Kind != Snapshot && h.Kind != Delta || h.Epoch < 0 || h.From < 0 || h.To < 0 || h.Part < 0 || h.Part >= h.Parts || h.Parts > maxParts {
		return h, fmt.Errorf("headers are %+v, want kind, epoch, from, to, part, parts and check", h)
	}
	if want := h.check(); check != want {
		return h, fmt.Errorf("headers are %+v with check %d, want %d: they were damaged, or an older learner wrote them (start the new one)", h, check, want)
	}
	return h, nil
}

// Message is a snapshot or a delta, assembled from its parts. Its Head is that of its first part.
type Message struct {
	Head
	Body [][]byte // the values of its records, which are not copied together

	// of a snapshot that is decoded while its records arrive; then Body is empty
	Loading *model.Loading
}

// Size is the number of bytes.
func (m *Message) Size() (n int) {
	for _, b := range m.Body {
		n += len(b)
	}
	return n
}
