package learner

// takeover decides when the weights of a new network are published. A network that begins anew,
// since the configuration of the model has changed or its checkpoints are gone, has learned less
// than the weights on the topic for a while. Until it has caught up nothing of it is published, so
// that all scorers go on with those weights, and joining ones find them.
type takeover struct {
	// examples in the newest weights on the topic when this learner began; 0: there were none
	published int64
	end       int64 // where the examples topic ended then
	waiting   bool  // was logged
}

// minTakeover is how many examples a network must have learned before it may replace one that had
// learned more, when the topic does not hold as many any more.
const minTakeover = 10_000

// mayPublish reports whether the weights may be published, and whether they are current: whether
// they may replace weights that have learned more. Current weights have learned everything before
// the offset end, and not too little.
func (t *takeover) mayPublish(examples, next int64) (may, current bool) {
	current = next >= t.end && examples >= minTakeover
	return examples >= t.published || current, current
}

// mayPublish asks the takeover, and logs when its answer changes.
func (l *learning) mayPublish() bool {
	t, examples := &l.takeover, l.net.Examples()
	may, current := t.mayPublish(examples, l.at.Next)
	l.publisher.current = current
	if t.waiting == !may {
		return may
	}
	t.waiting = !may
	if may {
		l.o.logger.Info("caught up: publishing again", "learned", examples, "published_before", t.published)
	} else {
		l.o.logger.Warn("this network has learned less than the weights that are published: scorers keep those until it has caught up", "learned", examples, "published", t.published, "to_learn", max(t.end-l.at.Next, 0))
	}
	return may
}
