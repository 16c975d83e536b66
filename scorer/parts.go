package scorer

import (
	"fmt"
	"strconv"

	"github.com/clickloop/clickloop/stream"
)

// headers are those of a record of the topic of weights.
type headers struct {
	kind         string
	epoch        int64
	from, to     int64
	part, nParts int64
}

func parseHeaders(hs []stream.Header) (headers, error) {
	h := headers{epoch: -1, from: -1, to: -1, part: -1, nParts: -1}
	for _, x := range hs {
		var to *int64
		switch x.Key {
		case "kind":
			h.kind = string(x.Value)
		case "epoch":
			to = &h.epoch
		case "from":
			to = &h.from
		case "to":
			to = &h.to
		case "part":
			to = &h.part
		case "parts":
			to = &h.nParts
		}
		if to == nil {
			continue
		}
		n, err := strconv.ParseInt(string(x.Value), 10, 64)
		if err != nil {
			return h, fmt.Errorf("header %s is %.20q, want a number", x.Key, x.Value)
		}
		*to = n
	}
	if h.kind != "snapshot" && h.kind != "delta" || h.epoch < 0 || h.from < 0 || h.to < 0 || h.part < 0 || h.part >= h.nParts || h.nParts > maxParts {
		return h, fmt.Errorf("headers are %+v, want kind, epoch, from, to, part and parts", h)
	}
	return h, nil
}

// maxParts bounds a message to about 3.6 GB.
const maxParts = 4096

// assembly puts parts together. Parts of one message come in order and one after another; anything else drops what was begun.
type assembly struct {
	head headers
	next int64 // part that is wanted; 0 when none is begun
	body []byte
}

// add takes a part and returns the message that it completes. The body is valid until the next add.
func (a *assembly) add(h headers, value []byte) (message, bool) {
	if h.part == 0 {
		a.head, a.next, a.body = h, 0, a.body[:0]
	}
	same := h
	same.part = a.head.part
	if h.part != a.next || same != a.head {
		a.next = 0
		return message{}, false
	}
	a.body = append(a.body, value...)
	a.next++
	if a.next < h.nParts {
		return message{}, false
	}
	a.next = 0
	return message{epoch: h.epoch, snapshot: h.kind == "snapshot", from: h.from, to: h.to, body: a.body}, true
}
