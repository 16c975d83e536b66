package config

import (
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/watermark"
)

func TestTheWatermarksSettingsAreReadAndChecked(t *testing.T) {
	c, err := Parse("f.yaml", nil)
	if err != nil || c.Watermark != watermark.DefaultConfig() {
		t.Errorf("the default is %+v, %v", c.Watermark, err)
	}
	c, err = Parse("f.yaml", []byte("watermark: {lease: 30s}\ningest: {heartbeat: 7s}"))
	if want := (watermark.Config{Lease: 30 * time.Second, Ahead: 5 * time.Second}); err != nil || c.Watermark != want {
		t.Errorf("%+v, %v; want %+v", c.Watermark, err, want)
	}
	f := func(text, want string) {
		t.Helper()
		if _, err := Parse("f.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	f("watermark: {lease: 1ms}", "f.yaml:1: watermark.lease is 1ms, want 100ms to 1h")
	f("watermark:\n  ahead: 6s", "f.yaml:2: watermark.ahead is 6s, want 10ms to half of lease (5s)")
	f("ingest: {heartbeat: 3s}", "watermark.lease is 10s, want at least four times ingest.heartbeat (12s)")
	f("watermark: {leash: 1s}", "unknown field \"leash\"")
}
