package feedback

import (
	"fmt"
	"sync"

	"github.com/clickloop/clickloop/internal/notify"
)

// guard watches an objective's evaluations. While an alarm stands and the configuration says hold, labels wait until a person says go on; what was
// written already still counts, so a good window that follows ends the alarm as well.
type guard struct {
	cfg     Guard
	changed notify.Broadcast

	mu       sync.Mutex
	alarm    string
	released bool
}

// judge returns what a window's figures raise, empty for nothing.
func (g Guard) judge(examples int64, predictedOverActual float64, defined bool) string {
	if examples < g.MinExamples || !defined {
		return ""
	}
	if predictedOverActual < g.CalibrationLow || predictedOverActual > g.CalibrationHigh {
		return fmt.Sprintf("predicted over actual is %.3g, outside %g to %g", predictedOverActual, g.CalibrationLow, g.CalibrationHigh)
	}
	return ""
}

// observe takes the newest window's alarm.
func (g *guard) observe(alarm string) {
	g.mu.Lock()
	if alarm == "" {
		g.released = false
	}
	g.alarm = alarm
	g.mu.Unlock()
	g.changed.Fire()
}

// release lets labels go on until the next alarm after a good window.
func (g *guard) release() {
	g.mu.Lock()
	g.released = true
	g.mu.Unlock()
	g.changed.Fire()
}

func (g *guard) held() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cfg.Hold && g.alarm != "" && !g.released
}
