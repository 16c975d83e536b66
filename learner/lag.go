package learner

import "time"

// lag is how far the learner is behind the examples topic, and what was logged about it.
type lag struct {
	examples  int64         // in the topic that are not learned yet
	age       time.Duration // of the newest example when it was learned
	logged    time.Time
	tableFull bool // was logged
}

// logLag measures the lag after a batch and the use of the network's table. It logs a lag that
// matters once in ten seconds, and a full table once.
func (l *learning) logLag(b *batch, now time.Time) {
	l.lag.examples = max(b.end-l.at.Next, 0)
	if len(b.examples) > 0 {
		l.lag.age = max(now.Sub(b.newest), 0)
	}
	use := l.net.Occupancy()
	l.o.metrics.measure(l.o.key, &l.lag, &use)
	if use.Pooled && !l.lag.tableFull {
		l.lag.tableFull = true
		l.o.logger.Warn("the network's table is full: new tokens share records from now on; model.admission and model.expiry keep tokens out that hardly come, a larger model.table_bits has room for more; either starts a new network", "tokens", use.Tokens, "max_tokens", use.MaxTokens)
	}
	if l.lag.examples > farBehind && now.Sub(l.lag.logged) > 10*time.Second {
		l.lag.logged = now
		l.o.logger.Warn("the learner is behind the examples", "examples", l.lag.examples, "seconds", int64(l.lag.age.Seconds()), "learned", l.net.Examples(), "published", max(l.publisher.published, l.takeover.published))
	}
}
