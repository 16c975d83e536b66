// Package backend gives tests a Kafka and a Redis: real ones at the addresses in
// CLICKLOOP_TEST_KAFKA and CLICKLOOP_TEST_REDIS, else embedded ones. So one suite runs on both.
package backend

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/clickloop/clickloop/internal/embedded"
)

var shared struct {
	once     sync.Once
	services *embedded.Services
	err      error
}

// start runs one embedded pair for all tests of the process. Main stops it.
func start(t testing.TB) *embedded.Services {
	t.Helper()
	shared.once.Do(func() {
		dir, err := os.MkdirTemp("", "clickloop-test-")
		if err != nil {
			shared.err = err
			return
		}
		shared.services, shared.err = embedded.Start(embedded.Config{Dir: dir, KafkaPort: -1, RedisPort: -1})
	})
	if shared.err != nil {
		t.Fatalf("cannot start embedded services: %v", shared.err)
	}
	return shared.services
}

// Real tells whether tests run on real services.
func Real() bool { return os.Getenv("CLICKLOOP_TEST_KAFKA") != "" }

// Kafka returns broker addresses.
func Kafka(t testing.TB) []string {
	t.Helper()
	if a := os.Getenv("CLICKLOOP_TEST_KAFKA"); a != "" {
		return strings.Split(a, ",")
	}
	return []string{start(t).Kafka}
}

// Redis returns host:port.
func Redis(t testing.TB) string {
	t.Helper()
	if a := os.Getenv("CLICKLOOP_TEST_REDIS"); a != "" {
		return a
	}
	return start(t).Redis
}

// Embedded starts a pair for one test, which may stop and restart it.
func Embedded(t testing.TB) *embedded.Services {
	t.Helper()
	s, err := embedded.Start(embedded.Config{Dir: t.TempDir(), KafkaPort: -1, RedisPort: -1})
	if err != nil {
		t.Fatalf("cannot start embedded services: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("cannot close embedded services: %v", err)
		}
	})
	return s
}

// Prefix returns a prefix of topics, groups and keys that no other test uses.
func Prefix(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("t%08x.", rand.Uint32())
}
