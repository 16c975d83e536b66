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

// request is a question to the loop of a network for its state.
type request struct {
	offset int64           // the answer waits until everything before it is learned
	first  stage           // and then for this: untilCopied, or untilSnapshot to have one written first
	ctx    context.Context // of the caller
	answer chan<- state    // has room for one; closed when the generation ends first
}

// askTimeout is how long an answer may take.
const askTimeout = 30 * time.Second

var errNotOwner = errors.New("this process does not learn the objective at present: another one does, or it is still starting")

// ask waits until the loop answers or ctx ends. It asks again when the generation ends before the
// answer.
func (o *owner) ask(ctx context.Context, first stage, offset int64) (state, error) {
	for {
		answer := make(chan state, 1)
		select {
		case o.requests <- request{first: first, offset: offset, ctx: ctx, answer: answer}:
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

// stage is what a request waits for.
type stage int

const (
	untilOffset   stage = iota // an offset is learned
	untilSnapshot              // a snapshot is begun
	untilWritten               // that snapshot is written
	untilCopied                // a copy of the weights is begun
	untilHashed                // that copy is hashed
	stages
)

// questions are the requests that a loop has accepted and not answered.
type questions struct {
	waiting [stages][]request
	copied  state // when the copy under way was begun
	known   state // the last one whose weights were hashed; Weights is empty when there is none
}

// accept takes a request; next is the offset up to which everything is learned.
func (q *questions) accept(r request, next int64) {
	at := r.first
	if r.offset > next {
		at = untilOffset
		// callers that have gone must not pile up while no examples arrive
		q.waiting[at] = slices.DeleteFunc(q.waiting[at], func(r request) bool { return r.ctx.Err() != nil })
	}
	q.waiting[at] = append(q.waiting[at], r)
}

// learned moves on the requests whose offset is learned.
func (q *questions) learned(next int64) {
	early := q.waiting[untilOffset]
	q.waiting[untilOffset] = nil
	for _, r := range early {
		q.accept(r, next)
	}
}

// move moves all requests from one stage to another.
func (q *questions) move(from, to stage) {
	q.waiting[from], q.waiting[to] = nil, append(q.waiting[to], q.waiting[from]...)
}

// answer answers the requests of a stage. It remembers s, which answers all further questions until
// more is learned.
func (q *questions) answer(at stage, s state) {
	for _, r := range q.waiting[at] {
		r.answer <- s
	}
	q.waiting[at], q.known = nil, s
}

// requeue makes all callers ask again, as the generation has ended.
func (q *questions) requeue() {
	for _, r := range slices.Concat(q.waiting[:]...) {
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
