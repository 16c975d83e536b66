package stream

import (
	"fmt"
	"slices"
	"sync"
)

// TooLargeError names records that the topic can never take, since each alone exceeds its limit.
// All other records of the same call are written.
type TooLargeError struct {
	Topic   string
	Records []int // indexes into the call's records
	Bytes   int   // of the largest
	Limit   int   // the topic's max.message.bytes; 0 when the broker does not say
	Mend    string
}

func (e *TooLargeError) Error() string {
	limit := maxMessageBytes
	if e.Limit > 0 {
		limit = fmt.Sprintf("%s is %d", maxMessageBytes, e.Limit)
	}
	return fmt.Sprintf("a record of %d bytes is larger than topic %s takes (%s); mend it with: %s", e.Bytes, e.Topic, limit, e.Mend)
}

// refusals collects the records of one Produce that are too large.
type refusals struct {
	mu      sync.Mutex
	records []int
	largest int
	limit   int
}

func (r *refusals) add(index, bytes, limit int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records, r.largest, r.limit = append(r.records, index), max(r.largest, bytes), limit
}

func (r *refusals) error(c *cluster, topic string) error {
	if len(r.records) == 0 {
		return nil
	}
	slices.Sort(r.records)
	return &TooLargeError{Topic: c.name(topic), Records: r.records, Bytes: r.largest, Limit: r.limit, Mend: c.alterCommand(topic, maxMessageBytes, roomFor(r.largest))}
}
