package ledger

import (
	"strconv"
	"sync"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// Headers of the records on the topic bids, beside those that every record has.
const (
	headerBidder = "bidder"
	headerNumber = "number" // of the bidder's records
	headerEpoch  = "epoch"  // of the step
)

// entry is a step on its way to the topic.
type entry struct {
	step   event.BidStep
	call   string // of a bid: the name of the call that reserved it
	unmade bool   // of a bid: it was given back at once, and nobody has to pay for it
	number uint64
	// done is called once: with nil when the step was read back from the topic before any later
	// epoch began, with errVoid when one began first, with another error when it is not written. It
	// must not call the journal. A bid that is void is not done: it is an orphan.
	done func(error)
}

func (e *entry) isBid() bool { return e.step.Step == event.StepBid && !e.unmade }

func (e *entry) finish(err error) {
	if e.done != nil {
		e.done(err)
	}
}

// journal writes steps in the order in which it gets them, and knows which of them are on the topic
// before any later epoch began. An acknowledgement of Kafka does not say that; a step that is read
// back does. It is safe for concurrent use.
type journal struct {
	bidder  string
	headers []stream.Header
	batcher *stream.Batcher

	mu      sync.Mutex
	epoch   int64    // the highest that has begun on the topic
	next    uint64   // number of the next record, from 1
	pending []*entry // in the order of their numbers
	orphans []*entry // bids whose steps are void
}

func newJournal(bidder string, client *stream.Client, batcher *stream.Batcher) *journal {
	return &journal{bidder: bidder, headers: client.MessageHeaders(event.SchemaBid), batcher: batcher, next: 1}
}

// maxStep bounds a step on the topic, in bytes: a longer one is written without what the model of
// win rates knows.
const maxStep = 16 << 10

// write gives entries a place in the queue for Kafka, all of one epoch. Entries of an epoch that
// has ended are void at once.
func (j *journal) write(entries ...*entry) error {
	if len(entries) == 0 {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if entries[0].step.Epoch < j.epoch && entries[0].step.Step != event.StepEpoch {
		j.voidLocked(entries)
		return nil
	}
	records := make([]stream.Record, len(entries))
	for i, e := range entries {
		e.step.Bidder, e.number = j.bidder, j.next+uint64(i)
		records[i] = j.encode(e)
	}
	if _, err := j.batcher.Enqueue(records); err != nil {
		return err
	}
	j.next += uint64(len(entries))
	j.pending = append(j.pending, entries...)
	return nil
}

func (j *journal) encode(e *entry) stream.Record {
	value := e.step.AppendJSON(make([]byte, 0, 512))
	if len(value) > maxStep {
		slim := e.step
		slim.Market = nil
		value = slim.AppendJSON(nil)
	}
	key := e.step.Campaign
	if key == "" {
		key = j.bidder
	}
	headers := make([]stream.Header, 0, len(j.headers)+3)
	headers = append(append(headers, j.headers...), stream.Header{Key: headerBidder, Value: []byte(j.bidder)},
		stream.Header{Key: headerNumber, Value: strconv.AppendUint(nil, e.number, 10)}, stream.Header{Key: headerEpoch, Value: strconv.AppendInt(nil, e.step.Epoch, 10)})
	return stream.Record{Key: []byte(key), Value: value, Headers: headers}
}

// readBack notes that the record of a number is on the topic. Those before it, which Kafka has
// acknowledged, should be there; where one is not, Kafka has lost it, and it is written again.
func (j *journal) readBack(number uint64) {
	j.mu.Lock()
	n := 0
	for n < len(j.pending) && j.pending[n].number <= number {
		n++
	}
	done := j.pending[:n:n]
	j.pending = j.pending[n:]
	j.mu.Unlock()
	for _, e := range done {
		if e.number == number {
			e.finish(nil)
		} else if err := j.write(e); err != nil {
			e.finish(err)
		}
	}
}

// turn begins an epoch: what is not on the topic by now is void.
func (j *journal) turn(epoch int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if epoch <= j.epoch {
		return
	}
	j.epoch = epoch
	void := j.pending
	j.pending = nil
	j.voidLocked(void)
}

func (j *journal) voidLocked(entries []*entry) {
	for _, e := range entries {
		switch {
		case e.step.Step == event.StepEpoch: // its own reader tells whether it was the first
			e.finish(nil)
		case e.isBid():
			j.orphans = append(j.orphans, e)
		default:
			e.finish(errVoid)
		}
	}
}

// takeOrphans returns the bids whose steps are void.
func (j *journal) takeOrphans() []*entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	taken := j.orphans
	j.orphans = nil
	return taken
}

func (j *journal) putOrphans(entries []*entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.orphans = append(j.orphans, entries...)
}

// idle tells whether all steps are on the topic.
func (j *journal) idle() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.pending) == 0 && len(j.orphans) == 0
}

// close ends all that waits.
func (j *journal) close() {
	j.mu.Lock()
	left := j.pending
	j.pending = nil
	j.mu.Unlock()
	for _, e := range left {
		e.finish(stream.ErrEnded)
	}
}
