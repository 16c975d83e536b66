package learner

import "log/slog"

// takeover says from when on a network's weights are published, where weights of it stand on the
// topic already. One that begins anew, since the configuration of its model was changed or its
// checkpoints are gone, has learned less than these for a while. Nothing is published meanwhile, so
// that scorers serve what there is, those as well that join.
type takeover struct {
	// examples in the newest weights on the topic when this learner began; 0 for none
	published int64
	end       int64 // of the examples topic at that time
}

// leastLearned is how many examples a network has learned at least when it takes the place of one
// that had more, of which the topic does not hold as many any more.
const leastLearned = 10_000

// look says whether a network with so many examples may be published, and whether it may take the
// place of weights that have learned more: it has learned all before the offset end, and not too
// little.
func (t *takeover) look(examples, next int64) (ready, current bool) {
	current = next >= t.end && examples >= leastLearned
	return examples >= t.published || current, current
}

// tell says that scorers have to wait, or need not any more.
func (t *takeover) tell(logger *slog.Logger, ready bool, examples, next int64) {
	if ready {
		logger.Info("caught up: publishing again", "learned", examples, "published_before", t.published)
		return
	}
	logger.Warn("this network has learned less than the weights that are published: scorers keep those until it has caught up", "learned", examples, "published", t.published, "to_learn", max(t.end-next, 0))
}
