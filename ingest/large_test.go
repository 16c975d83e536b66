package ingest

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
)

// An event that the topic does not take gets its own verdict; requests and events beside it are
// acknowledged.
func TestAnEventThatTheTopicDoesNotTakeIsRefusedAlone(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	backend.AlterTopic(t, backend.Kafka(t)[0], client.Prefix()+event.TopicEvents, "max.message.bytes", "4000")
	_, server, _ := run(t, client, DefaultConfig(), features.NewMemory(), false)
	large := func(id string) string {
		return fmt.Sprintf(`{"id":"%s","type":"page","user":"u","properties":{"x":"%s"}}`, id, strings.Repeat("y", 6000))
	}
	// a real broker shows it some moments later
	eventually(t, "the topic's new limit", func() bool {
		status, _, _ := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(large("probe")))
		return status == 413
	})
	var wg sync.WaitGroup
	for i := range 40 { // they share writes
		wg.Go(func() {
			if i%2 == 0 {
				status, _, a := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(fmt.Sprintf(`{"id":"s%d","type":"page","user":"u"}`, i)))
				if status != 200 || len(a.Results) != 1 || a.Results[0].Status != "accepted" {
					t.Errorf("a small event: %d %+v", status, a)
				}
				return
			}
			status, _, a := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(large(fmt.Sprint("l", i))))
			if status != 413 || a.Error.Code != "too_large" || !strings.Contains(a.Error.Message, "max.message.bytes is 4000") {
				t.Errorf("a large event: %d %+v", status, a)
			}
		})
	}
	wg.Wait()
	status, _, a := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(`[{"id":"b1","type":"page","user":"u"},`+large("b2")+`,{"id":"b3","type":"page","user":"u"}]`))
	if status != 200 || len(a.Results) != 3 || a.Results[0].Status != "accepted" || a.Results[2].Status != "accepted" || a.Results[1].Status != "rejected" ||
		a.Results[1].ID != "b2" || !strings.Contains(a.Results[1].Reason, "max.message.bytes is 4000") {
		t.Errorf("an array: %d %+v", status, a)
	}
	found := deadLetters(t, client)
	if len(found) != 1 || !strings.Contains(string(found[0].Payload), `"b2"`) || !strings.Contains(found[0].Reason, "max.message.bytes") {
		t.Errorf("%d dead letters, want one of b2", len(found))
	}
}
