package feedback

import (
	"fmt"
	"sync"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/notify"
)

// tally is what the guard sees of predictions that are due.
type tally struct {
	predictions int64
	examples    int64 // predictions whose trigger happened
	positives   int64
	// the sums leave out examples that were shown otherwise than predicted
	expected  float64 // sum of the examples' predictions: how many positives there should be
	weight    float64 // sum of the examples' weights
	predicted float64 // weighted sum of their predictions
	actual    float64 // weighted sum of their labels
	other     int64   // examples that the sums leave out
	otherPos  int64   // positives among these
}

// add counts an example, whose prediction is counted already. as says that it was shown as it was
// predicted: a prediction for the first position says nothing about clicks in the fifth.
func (t *tally) add(x *event.Example, as bool) {
	t.examples++
	if x.Y > 0 {
		t.positives++
	}
	if !as {
		t.other++
		if x.Y > 0 {
			t.otherPos++
		}
		return
	}
	t.expected += x.P
	t.weight += x.W
	t.predicted += x.W * x.P
	t.actual += x.W * x.Y
}

func (t tally) plus(o tally) tally {
	return tally{
		t.predictions + o.predictions, t.examples + o.examples, t.positives + o.positives,
		t.expected + o.expected, t.weight + o.weight, t.predicted + o.predicted, t.actual + o.actual,
		t.other + o.other, t.otherPos + o.otherPos,
	}
}

// expectable is how many expected positives make it a sign that there are none: the odds of that
// are below 1 in 20,000.
const expectable = 10

// judge returns the alarm that t raises: which band it leaves, or "". Fewer than MinExamples
// predictions raise none.
func (g Guard) judge(t tally) (alarm string) {
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
	if t.other > 0 && t.expected < expectable {
		return "" // few were shown as they were predicted
	}
	if t.positives == t.otherPos { // chance depends on their number, not on their weights
		if t.expected >= expectable {
			return fmt.Sprintf("there are no positives where %.3g were predicted", t.expected)
		}
		return ""
	}
	if ratio := t.predicted / t.actual; t.actual != 0 && (ratio < g.CalibrationLow || ratio > g.CalibrationHigh) {
		return fmt.Sprintf("predicted over actual is %.3g, outside %g to %g", ratio, g.CalibrationLow, g.CalibrationHigh)
	}
	return ""
}

// guard raises an alarm about what an objective's labeler is about to write, as when an outage
// keeps events away. It judges at least MinExamples predictions together. While an alarm stands and
// the configuration says hold, the labeler keeps its batch and looks its outcomes up again: events
// that come late still correct the labels. It goes on when the bands are met or a person releases
// it.
type guard struct {
	cfg     Guard
	changed notify.Broadcast

	mu       sync.Mutex
	judged   tally // of batches that were written and are judged with the next ones
	alarm    string
	released bool // by a person, until predictions meet the bands again
}

// check takes the tally of a batch that could be written now. It returns the alarm that stands,
// whether an alarm began or ended, and whether to hold the batch back. Only a batch that may be
// written is added to those judged.
func (g *guard) check(t tally) (alarm string, changed, hold bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	sum := g.judged.plus(t)
	enough := sum.predictions >= g.cfg.MinExamples
	if alarm = g.alarm; enough {
		alarm = g.cfg.judge(sum)
	}
	changed = (alarm == "") != (g.alarm == "")
	g.alarm = alarm
	if alarm == "" {
		g.released = false
	}
	if hold = g.cfg.Hold && alarm != "" && !g.released && enough; hold {
		return alarm, changed, true
	}
	if g.judged = sum; enough {
		g.judged = tally{}
	}
	return alarm, changed, false
}

// release lets labels go on until the bands were met once and are left again.
func (g *guard) release() {
	g.mu.Lock()
	g.released = true
	g.mu.Unlock()
	g.changed.Fire()
}
