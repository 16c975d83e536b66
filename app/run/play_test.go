package run

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// A learner that is behind, or joins its group again, is asked until it answers.
func TestASummaryWaitsForItsLearner(t *testing.T) {
	by, login := backend.Secured(backend.Kafka(t))
	client, err := stream.Dial(stream.Config{Brokers: backend.Kafka(t), Prefix: backend.Prefix(t), TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.EnsureTopics(t.Context(), stream.Topic{Name: event.TopicExamples("click"), Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	answers := []int{http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusOK, http.StatusNotFound}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(answers[0])
		answers = answers[1:]
		fmt.Fprint(w, `{"model":"click@7","weights":"sha256:aa"}`)
	}))
	defer server.Close()
	l := &Loop{Admin: strings.TrimPrefix(server.URL, "http://"), Client: client, front: front{transport: http.DefaultTransport}}
	s := Summary{Objective: "click"}
	if err := l.addModel(t.Context(), &s, event.Objective{Name: "click"}); err != nil || s.Model != "click@7" || s.Weights != "sha256:aa" {
		t.Errorf("%+v, %v", s, err)
	}
	if err := l.addModel(t.Context(), &s, event.Objective{Name: "click"}); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("another fault gave %v", err)
	}
}
