package run

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/features"
	"github.com/prometheus/client_golang/prometheus"
)

func TestARedisThatLosesKeysOrIsFullIsToldOnce(t *testing.T) {
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	c := newCapacity(nil, slog.New(slog.NewTextHandler(&log, nil)), reg)
	f := func(now features.Capacity, lines int, evicted float64, warnings ...string) {
		t.Helper()
		log.Reset()
		c.update(now)
		if n := strings.Count(log.String(), "\n"); n != lines {
			t.Fatalf("%d lines are logged, want %d:\n%s", n, lines, log.String())
		}
		if n := metric(t, reg, "clickloop_redis_evicted_keys_total"); n != evicted {
			t.Fatalf("%v evicted keys are counted, want %v", n, evicted)
		}
		got := c.warnings()
		if len(got) != len(warnings) {
			t.Fatalf("warnings %q, want %q", got, warnings)
		}
		for i, w := range warnings {
			if !strings.Contains(got[i], w) {
				t.Fatalf("warnings %q, want %q", got, warnings)
			}
		}
	}
	healthy := features.Capacity{Used: 10, Max: 100, Policy: "noeviction", Evicted: 7}
	f(healthy, 0, 0) // what was evicted before is not this process's to tell
	full := healthy
	full.Used = 100
	f(full, 1, 0, "memory is full")
	f(full, 0, 0, "memory is full")
	f(healthy, 0, 0)
	lossy := features.Capacity{Used: 90, Max: 100, Policy: "allkeys-lru", Evicted: 9}
	f(lossy, 2, 2, "evicted 2 keys", "allkeys-lru")
	f(lossy, 0, 2, "evicted 2 keys", "allkeys-lru")
	lossy.Evicted = 12
	f(lossy, 2, 5, "evicted 5 keys", "allkeys-lru")
	restarted := features.Capacity{Used: 1, Max: 100, Policy: "noeviction"}
	f(restarted, 0, 5)
	restarted.Evicted = 1
	f(restarted, 1, 6, "evicted 1 keys")
	if used, limit := metric(t, reg, "clickloop_redis_used_bytes"), metric(t, reg, "clickloop_redis_max_bytes"); used != 1 || limit != 100 {
		t.Fatalf("used %v of %v bytes, want 1 of 100", used, limit)
	}
}

// metric reads a counter or gauge without labels.
func metric(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue() + f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
