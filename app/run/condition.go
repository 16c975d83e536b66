package run

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// newBuildInfo returns the metric that says which program this is: its value is 1 always.
func newBuildInfo(version string) prometheus.Collector {
	if version == "" {
		version = "unknown"
	}
	revision := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "clickloop_build_info", Help: "1, with the version, the revision of the source and the version of Go that the program was built from.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "goversion": runtime.Version()},
	})
	g.Set(1)
	return g
}

// conditionEvery is how often the stages are asked whether they are ready.
const conditionEvery = 5 * time.Second

// condition tells in the metrics what /readyz says, stage by stage. A scrape does not ask the
// stages: one that hangs would make the process seem to be down.
type condition struct {
	loop     *Loop
	ready    *prometheus.GaugeVec
	recorded prometheus.Gauge
}

// newCondition registers the metrics of a Loop whose stages are built.
func newCondition(l *Loop, recorded bool) *condition {
	c := &condition{
		loop:     l,
		ready:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_ready", Help: "1 while a stage of this process is ready, as /readyz says, else 0; asked every five seconds."}, []string{"stage"}),
		recorded: prometheus.NewGauge(prometheus.GaugeOpts{Name: "clickloop_recorded_time", Help: "1 while this process counts in recorded time, as in a replay, else 0. Watermarks are recorded times then."}),
	}
	c.setRecorded(recorded)
	l.setRecorded = append(l.setRecorded, c.setRecorded)
	l.registry.MustRegister(c.ready, c.recorded)
	for _, name := range l.names {
		c.ready.WithLabelValues(name).Set(0)
	}
	return c
}

func (c *condition) setRecorded(recorded bool) {
	c.recorded.Set(0)
	if recorded {
		c.recorded.Set(1)
	}
}

// run asks the stages until ctx ends.
func (c *condition) run(ctx context.Context) error {
	tick := time.NewTicker(conditionEvery)
	defer tick.Stop()
	for {
		c.ask(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// ask asks each stage, with a bound of its own: one that hangs says nothing about the others.
func (c *condition) ask(ctx context.Context) {
	for i, s := range c.loop.stages {
		bounded, cancel := context.WithTimeout(ctx, readyWait)
		err := s.Ready(bounded)
		cancel()
		is := 1.0
		if err != nil {
			is = 0
		}
		c.ready.WithLabelValues(c.loop.names[i]).Set(is)
	}
}
