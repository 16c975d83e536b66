package learner

import (
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/weights"
)

// A joining replica finds weights again, though no example arrives.
func TestASnapshotThatIsGoneIsWrittenAgain(t *testing.T) {
	services, topic := backend.Embedded(t), event.TopicModel("click")
	f := &fixture{t: t, brokers: []string{services.Kafka}, prefix: "lost."}
	f.client = f.dial()
	f.topics()
	r := f.run(t.TempDir(), nil)
	f.produce(recordsOf(1, 0, 100))
	r.await(100)
	for _, lose := range []func(){func() { f.trim(topic, -1) }, func() { f.remake(topic) }} {
		lose()
		deadline := time.Now().Add(40 * time.Second)
		for found := false; !found; time.Sleep(10 * time.Millisecond) {
			for _, record := range f.read(topic) {
				h, err := weights.ParseHead(record.Headers)
				found = found || err == nil && h.Kind == weights.Snapshot && h.To == 100
			}
			if time.Now().After(deadline) {
				t.Fatal("there is no snapshot again")
			}
		}
	}
}
