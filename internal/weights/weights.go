// Package weights is the form of the topic model.<objective>: messages of a network's weights, cut
// into records.
//
// A message is a snapshot or a delta as the model package makes them. Its records carry headers
// that tell which message they are part of. The parts of a delta stand one after another; between
// those of a snapshot may stand deltas that follow it, so that those who need no snapshot do not
// wait for it. Whoever reads passes over records of a lower epoch than it has seen: they are of a
// learner that was deposed. The headers carry a checksum of themselves: an epoch that was damaged
// into a higher one would have every message after it passed over.
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
	Snapshot = "snapshot"
	Delta    = "delta"
)

// maxParts bounds a message to about 3.6 GB.
const maxParts = 4096

// Head tells which part of which message a record is.
type Head struct {
	Kind  string // Snapshot or Delta
	Epoch int64  // of the learner; lower ones than were seen are of one that is deposed
	From  int64  // examples in the weights that a delta is applied to
	To    int64  // examples in the weights that result
	Part  int64  // from 0
	Parts int64

	// Current, of a snapshot, says that its learner has learned all the examples that there were
	// when it began, and not too few. So it may take the place of weights that have learned more,
	// which it would never overtake where the topic of examples begins later than theirs did. The
	// check leaves it out, so that older scorers pass it over.
	Current bool
}

const headerCurrent = "current"

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

func (h *Head) headers() []stream.Header {
	headers := []stream.Header{{Key: "kind", Value: []byte(h.Kind)}}
	for _, n := range []struct {
		name  string
		value int64
	}{{"epoch", h.Epoch}, {"from", h.From}, {"to", h.To}, {"part", h.Part}, {"parts", h.Parts}, {"check", h.check()}} {
		headers = append(headers, stream.Header{Key: n.name, Value: strconv.AppendInt(nil, n.value, 10)})
	}
	if h.Current {
		headers = append(headers, stream.Header{Key: headerCurrent, Value: []byte("1")})
	}
	return headers
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// check is the CRC-32C of the other headers' values with a space between them, in the order in
// which they are written.
func (h *Head) check() int64 {
	text := fmt.Appendf(nil, "%s %d %d %d %d %d", h.Kind, h.Epoch, h.From, h.To, h.Part, h.Parts)
	return int64(crc32.Checksum(text, castagnoli))
}

// ParseHead reads a record's headers; those it does not know are passed over.
func ParseHead(headers []stream.Header) (Head, error) {
	h, check := Head{Epoch: -1, From: -1, To: -1, Part: -1, Parts: -1}, int64(-1)
	for i := range headers {
		if headers[i].Key == "kind" {
			h.Kind = string(headers[i].Value)
			continue
		}
		if headers[i].Key == headerCurrent {
			h.Current = string(headers[i].Value) == "1"
			continue
		}
		to := h.number(headers[i].Key)
		if headers[i].Key == "check" {
			to = &check
		}
		if to == nil {
			continue
		}
		n, err := strconv.ParseInt(string(headers[i].Value), 10, 64)
		if err != nil {
			return h, fmt.Errorf("header %s is %.20q, want a number", headers[i].Key, headers[i].Value)
		}
		*to = n
	}
	if h.Kind != Snapshot && h.Kind != Delta || h.Epoch < 0 || h.From < 0 || h.To < 0 || h.Part < 0 || h.Part >= h.Parts || h.Parts > maxParts {
		return h, fmt.Errorf("headers are %+v, want kind, epoch, from, to, part, parts and check", h)
	}
	if want := h.check(); check != want {
		return h, fmt.Errorf("headers are %+v with check %d, want %d: they were damaged, or an older learner wrote them (start the new one)", h, check, want)
	}
	return h, nil
}

func (h *Head) number(name string) *int64 {
	switch name {
	case "epoch":
		return &h.Epoch
	case "from":
		return &h.From
	case "to":
		return &h.To
	case "part":
		return &h.Part
	case "parts":
		return &h.Parts
	}
	return nil
}

// Message is a snapshot or delta, put together from its parts. Its Head is that of its first part.
type Message struct {
	Head
	Body [][]byte // the values of its records: a large snapshot is not copied together

	Loading *model.Loading // of a snapshot, in place of Body, when it is decoded while it comes
}

// Size is the number of bytes.
func (m *Message) Size() (n int) {
	for _, b := range m.Body {
		n += len(b)
	}
	return n
}
