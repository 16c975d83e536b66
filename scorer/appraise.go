package scorer

import (
	"context"
	"slices"

	"github.com/clickloop/clickloop/internal/tracing"
)

// WorthBid is the WorthName of bids.
const WorthBid = "bid"

// Appraise reads the profiles, scores and ranks the candidates of every request of c, and has the
// policy choose. It is for callers in process that decide after the scores: Answer logs what is
// chosen and keeps one choice for each id, and Appraise does neither. The caller may refuse a
// choice (PassOver), and logs what it acted on (Log), before c is reset.
//
// In recorded mode an error means that Redis did not answer in time: the same call may be sent
// again.
func (e *Engine) Appraise(ctx context.Context, c *Call) error {
	c.recorded, c.deferred = e.recorded.Load(), true
	c.begin(e)
	e.score(ctx, c, c.recorded)
	if c.recorded && c.basis.WithoutProfiles {
		return unavailable("the feature store does not answer")
	}
	return nil
}

// PassOver takes the chosen candidate of q out, and has the policy choose one of those that are
// left, as if the request had excluded it. q chooses one, and has a choice.
func (e *Engine) PassOver(c *Call, q *Request) {
	a := &q.Answer
	a.Ranked = slices.Delete(a.Ranked, 0, 1)
	a.Excluded++
	rankAgain(a.Ranked)
	e.choose(c, q, q.chosenBy)
}

// Log puts the predictions of the requests of c that have a choice into the queue for Kafka. It
// says whether there was room: without it none is logged, and the caller must not act on them. In
// recorded mode it waits until Kafka has acknowledged them.
func (e *Engine) Log(ctx context.Context, c *Call) bool {
	c.headers = tracing.Headers(ctx, e.log.headers)
	for i := range c.Requests {
		if q := &c.Requests[i]; q.open() && q.Answer.Chosen > 0 {
			e.appendPredictions(c, q)
		}
	}
	if c.recorded {
		ticket, err := e.log.batcher.Enqueue(c.records)
		return err == nil && e.log.await(ctx, c, ticket, e.replayWait)
	}
	_, ok := e.log.enqueue(c)
	return ok
}

// HasRoom says whether the queue for Kafka takes predictions.
func (e *Engine) HasRoom() bool { return e.log.hasRoom() }

// Objectives are the names of the objectives, in the order of Scored.P.
func (e *Engine) Objectives() []string { return e.objectives }
