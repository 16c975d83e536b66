package feedback

import (
	"log/slog"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/signing"
	"github.com/prometheus/client_golang/prometheus"
)

// tokens checks the signed tokens of events that would count for a prediction. Outcomes are found
// by the prediction's id alone, so an event that is refused here labels nothing. It leaves no
// trace in the store, and no dead letter either: the event stands on its topic, and whoever forges
// many must not fill another one.
//
// The verdict depends on the event, its receipt and the keys. So a rebuild comes to the same one,
// as long as it has the keys.
type tokens struct {
	ring     *signing.Ring // nil: every event counts
	lifetime time.Duration
	counted  [signing.Verdicts]prometheus.Counter
	logger   *slog.Logger

	mu      sync.Mutex
	warned  time.Time
	refused [signing.Verdicts]int // since then
}

func newTokens(ring *signing.Ring, lifetime time.Duration, counted *prometheus.CounterVec, logger *slog.Logger) *tokens {
	t := &tokens{ring: ring, lifetime: lifetime, logger: logger}
	if ring != nil {
		for v := range signing.Verdict(signing.Verdicts) {
			t.counted[v] = counted.WithLabelValues(v.String())
		}
	}
	return t
}

// accept says whether e may label its prediction. e.Received must be the receipt that counts.
func (t *tokens) accept(e *event.Event) bool {
	if t.ring == nil {
		return true
	}
	v := t.ring.Keys().Verify(e.Token, e.Prediction, e.Received, t.lifetime)
	t.counted[v].Inc()
	if v != signing.Valid {
		t.warn(v, e)
	}
	return v == signing.Valid
}

// remedies say for each verdict what an operator can do about it.
var remedies = [signing.Verdicts]string{
	signing.Missing:    "send the member token of the scorer's answer along with the prediction, in impressions too",
	signing.Malformed:  "send the member token of the scorer's answer as it is",
	signing.UnknownKey: "give feedback.sign_key of scorers and feedback the same secrets, and keep old ones as docs/operations.md says",
	signing.Mismatch:   "send each token with the prediction that it came with; if clients do, somebody forges events",
	signing.Expired:    "events came longer after their predictions than the longest window and feedback.outcome_ttl; if they did not, a clock is wrong",
}

// warn logs what was refused, with its last example and a remedy, once in warnEvery.
func (t *tokens) warn(v signing.Verdict, e *event.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused[v]++
	now := time.Now()
	if now.Sub(t.warned) <= warnEvery {
		return
	}
	t.warned = now
	attrs := []any{"token", v.String(), "type", e.Type, "prediction", e.Prediction, "id", e.ID, "remedy", remedies[v]}
	for v := range signing.Verdict(signing.Verdicts) {
		if t.refused[v] > 0 {
			attrs = append(attrs, v.String(), t.refused[v])
			t.refused[v] = 0
		}
	}
	t.logger.Warn("events label nothing, since their tokens are not valid", attrs...)
}
