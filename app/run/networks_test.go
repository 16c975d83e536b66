package run_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

// Two networks learn a click side by side, and the one that the configuration names answers.
func TestTheNetworkThatIsNamedServes(t *testing.T) {
	l := start(t, func(c *config.Config) {
		plain := model.DefaultConfig()
		plain.Network = []string{"linear"}
		c.Networks = config.Networks{"plain": plain}
		c.Objectives = []event.Objective{{
			Name: "click", Trigger: event.TriggerPrediction, Positive: event.TypeClick, Window: 100 * time.Millisecond,
			Networks: []string{event.DefaultNetwork, "plain"}, Serve: "plain",
		}}
		c.Ingest.Heartbeat = 20 * time.Millisecond
	})
	var answer struct{ Model map[string]string }
	postJSON(t, l, "/v1/score", `{"request":"r1","user":"u1","candidates":[{"ad":"a1"}]}`, &answer)
	if answer.Model["click"] != "click.plain@0" {
		t.Errorf("the answer is of %v", answer.Model)
	}
	var served struct {
		Model    string
		Examples int64
	}
	getJSON(t, l, "/v1/model?objective=click&at_least=1&wait=20s", &served)
	if served.Model != "click.plain@1" || served.Examples != 1 {
		t.Errorf("served are %+v", served)
	}
	weights := map[string]bool{}
	for _, network := range []string{"default", "plain"} {
		var learned struct {
			Examples int64
			Weights  string
			Judged   struct{ Examples int64 }
		}
		for learned.Examples == 0 {
			getJSON(t, l, fmt.Sprintf("/v1/learner?objective=click&network=%s", network), &learned)
		}
		if learned.Examples != 1 || learned.Judged.Examples != 1 {
			t.Errorf("network %s is at %+v", network, learned)
		}
		weights[learned.Weights] = true
	}
	if len(weights) != 2 {
		t.Errorf("the networks have weights %v, want two different ones", weights)
	}
}

func getJSON(t *testing.T, l *run.Loop, path string, v any) {
	t.Helper()
	resp, err := http.Get("http://" + l.Admin + path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
