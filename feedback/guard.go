package feedback

import (
	"fmt"
	"sync"

	"github.com/clickloop/clickloop/internal/notify"
)

// tally is what the guard sees of predictions that are due.
type tally struct {
	predictions int64
	examples    int64 // whose trigger happened
	positives   int64
	expected    float64 // sum of the examples' probabilities: how many positives there should be
	weight      float64 // of the examples
	predicted   float64 // sum of their probabilities, weighted
	actual      float64 // weight of the positives
}

func (t tally) plus(o tally) tally {
	return tally{
		t.predictions + o.predictions, t.examples + o.examples, t.positives + o.positives,
		t.expected + o.expected, t.weight + o.weight, t.predicted + o.predicted, t.actual + o.actual,
	}
}

// expectable is from how many predicted positives on none at all is a sign: the odds of that are
// below 1 in 20,000.
const expectable = 10

// judge returns which band t leaves, empty for none. Below MinExamples predictions nothing is
// judged.
func (g Guard) judge(t tally) string {
	if t.predictions < g.MinExamples || t.predictions == 0 {
		return ""
	}
	if coverage := float64(t.examples) / float64(t.predictions); coverage < g.CoverageLow {
		return fmt.Sprintf("the trigger happened for %.3g of the predictions, below %g", coverage, g.CoverageLow)
	}
	if t.examples == 0 {
		return ""
	}
	if rate := float64(t.positives) / float64(t.examples); rate < g.RateLow || rate > g.RateHigh {
		return fmt.Sprintf("the rate of positives is %.3g, outside %g to %g", rate, g.RateLow, g.RateHigh)
	}
	if t.positives == 0 { // chance goes by how many there are, not by what they weigh
		if t.expected >= expectable {
			return fmt.Sprintf("there are no positives where %.3g were predicted", t.expected)
		}
		return ""
	}
	if t.actual == 0 {
		return ""
	}
	if ratio := t.predicted / t.actual; ratio < g.CalibrationLow || ratio > g.CalibrationHigh {
		return fmt.Sprintf("predicted over actual is %.3g, outside %g to %g", ratio, g.CalibrationLow, g.CalibrationHigh)
	}
	return ""
}

// guard watches what an objective's labeler is about to write, in blocks of at least MinExamples
// predictions. While an alarm stands and the configuration says hold, the labeler keeps its batch
// and looks its outcomes up again: events that an outage has held up still make it right. It goes
// on when the band is met or a person says so.
type guard struct {
	cfg     Guard
	changed notify.Broadcast

	mu       sync.Mutex
	block    tally
	alarm    string
	released bool // a person said go on; until a block is good
}

// weigh takes the tally of a batch that could be written now, and returns the alarm that stands,
// whether it is another than before, and whether the batch is to be held back. A batch that may be
// written is counted.
func (g *guard) weigh(t tally) (alarm string, changed, hold bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	sum := g.block.plus(t)
	if sum.predictions >= g.cfg.MinExamples {
		alarm = g.cfg.judge(sum)
	} else {
		alarm = g.alarm
	}
	changed = (alarm == "") != (g.alarm == "")
	g.alarm = alarm
	if alarm == "" {
		g.released = false
	}
	if hold = g.cfg.Hold && alarm != "" && !g.released && sum.predictions >= g.cfg.MinExamples; hold {
		return alarm, changed, true
	}
	if g.block = sum; sum.predictions >= g.cfg.MinExamples {
		g.block = tally{}
	}
	return alarm, changed, false
}

// release lets labels go on until the next alarm after a good block.
func (g *guard) release() {
	g.mu.Lock()
	g.released = true
	g.mu.Unlock()
	g.changed.Fire()
}
