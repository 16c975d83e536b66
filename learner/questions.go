package learner

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/clickloop/clickloop/event"
)

// state is the answer of /v1/learner.
type state struct {
	Objective  string `json:"objective"`
	Network    string `json:"network,omitempty"` // empty: the default one
	Model      string `json:"model"`
	Examples   int64  `json:"examples"`
	Weights    string `json:"weights"`
	Epoch      int64  `json:"epoch"`
	Published  int64  `json:"published"`  // examples in the weights published last
	Checkpoint int64  `json:"checkpoint"` // examples in the newest checkpoint
	// offset of the first record of the examples topic that is not learned
	Next   int64 `json:"next"`
	Behind int64 `json:"behind"` // examples in the topic that are not learned yet
	// from the production of the newest learned example until it was learned
	BehindSeconds float64 `json:"behind_seconds"`
	Judged        judged  `json:"judged"`
}

type requestKind int

const (
	askState    requestKind = iota
	askSnapshot             // and for the state, once the snapshot is written
)

// request is a question to the loop of a network.
type request struct {
	kind   requestKind
	offset int64           // the answer waits until everything before it is learned
	ctx    context.Context // of the caller
	answer chan<- state    // has room for one; closed when the generation ends first
}

// askTimeout is how long an answer may take.
const askTimeout = 30 * time.Second

var errNotOwner = errors.New("this process does not learn the objective at present: another one does, or it is still starting")

// ask waits until the loop answers or ctx ends. It asks again when the generation ends before the
// answer.
func (o *owner) ask(ctx context.Context, kind requestKind, offset int64) (state, error) {
	for {
		answer := make(chan state, 1)
		select {
		case o.requests <- request{kind: kind, offset: offset, ctx: ctx, answer: answer}:
		case <-ctx.Done():
			return state{}, errNotOwner
		}
		select {
		case s, ok := <-answer:
			if ok {
				return s, nil
			}
		case <-ctx.Done():
			return state{}, ctx.Err()
		}
	}
}

// questions are the requests that a loop has accepted and not answered, by what they wait for.
type questions struct {
	offset   []request // until an offset is learned
	snapshot []request // until a snapshot is begun
	writing  []request // until that snapshot is written
	hash     []request // until the weights are copied
	hashing  []request // until that copy is hashed

	copied state // when that copy was begun
	known  state // the last one with its weights; its Weights are empty when there is none
}

// accept takes a request; next is the offset up to which everything is learned.
func (q *questions) accept(r request, next int64) {
	switch {
	case r.offset > next:
		// so that they do not pile up while no examples arrive
		q.offset = slices.DeleteFunc(q.offset, func(r request) bool { return r.ctx.Err() != nil })
		q.offset = append(q.offset, r)
	case r.kind == askSnapshot:
		q.snapshot = append(q.snapshot, r)
	default:
		q.hash = append(q.hash, r)
	}
}

// learned moves on the requests that waited for an offset.
func (q *questions) learned(next int64) {
	waiting := q.offset
	q.offset = nil
	for _, r := range waiting {
		q.accept(r, next)
	}
}

func (q *questions) snapshotBegun() {
	q.writing, q.snapshot = append(q.writing, q.snapshot...), nil
}

func (q *questions) snapshotWritten() {
	q.hash, q.writing = append(q.hash, q.writing...), nil
}

// answerKnown answers without a hash when nothing was learned since the last one.
func (q *questions) answerKnown(now state) {
	if q.known.Weights == "" || q.known.Examples != now.Examples {
		return
	}
	now.Weights = q.known.Weights
	answer(q.hash, now)
	q.hash = nil
}

// copyBegun notes the state that is copied to be hashed.
func (q *questions) copyBegun(now state) {
	q.copied, q.hashing, q.hash = now, q.hash, nil
}

func (q *questions) hashed(weights string) {
	q.copied.Weights = weights
	q.known = q.copied
	answer(q.hashing, q.known)
	q.hashing = nil
}

func answer(requests []request, s state) {
	for _, r := range requests {
		r.answer <- s
	}
}

// requeue makes all callers ask again, as the generation has ended.
func (q *questions) requeue() {
	for _, r := range slices.Concat(q.offset, q.snapshot, q.writing, q.hash, q.hashing) {
		close(r.answer)
	}
}

// state describes the network as it is, but for the hash of its weights.
func (l *learning) state() state {
	n := l.net.Examples()
	return state{
		Objective: l.o.objective, Network: l.o.network(), Model: event.ModelVersion(l.o.key, n), Examples: n, Epoch: l.publisher.epoch,
		Behind: l.lag.examples, BehindSeconds: l.lag.age.Seconds(), Published: l.publisher.published,
		Checkpoint: max(l.checkpoints.saved, 0), Next: l.at.Next, Judged: l.judged,
	}
}
