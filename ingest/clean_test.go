package ingest

import (
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
)

// A user's events, and an event and its resend, share a partition: whoever folds them relies on
// their order.
func TestEventsAreKeyedByWhoTheyAreAbout(t *testing.T) {
	_, client, server := stage(t, features.NewMemory(), false)
	body := `[{"id":"k1","type":"page","user":"u1","anonymous":"a1"},{"id":"k2","type":"page","anonymous":"a1"},{"id":"k3","type":"page"},{"type":"page"}]`
	if status, _, a := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(body)); status != 200 {
		t.Fatalf("status %d, %+v", status, a)
	}
	want := map[string]string{"k1": "u1", "k2": "a1", "k3": "k3"}
	for _, records := range read(t, client, event.TopicEvents) {
		for _, r := range records {
			e, err := event.ParseEvent(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			if key, ok := want[e.ID]; ok && string(r.Key) == key {
				delete(want, e.ID)
			} else if e.Type == "page" && !ok && (e.ID == "" || string(r.Key) != e.ID) {
				t.Errorf("an event without an id has key %q and id %q", r.Key, e.ID)
			}
		}
	}
	if len(want) != 0 {
		t.Errorf("not found under their keys: %v", want)
	}
}

// One rule holds for ids in every form; the collector takes all that scorers make predictions of.
func TestIDsAreHeldToOneRule(t *testing.T) {
	_, _, server := stage(t, features.NewMemory(), false)
	f := func(path, form, id string, field string) {
		t.Helper()
		status, _, a := send(t, "POST", server.URL+path, nil, strings.NewReader(strings.ReplaceAll(form, "ID", id)))
		if len(a.Results) != 1 || (a.Results[0].Status == "accepted") != (field == "") || a.Results[0].Field != field {
			t.Errorf("%s %.60s: status %d, %+v, want one about %q", path, strings.ReplaceAll(form, "ID", id), status, a, field)
		}
	}
	long := strings.Repeat("x", event.MaxIDBytes)
	for _, field := range []string{"id", "user", "anonymous", "prediction", "request", "ad", "campaign", "channel", "source"} {
		form := `{"type":"page","` + field + `":"ID"}`
		f("/v1/events", form, long, "")
		f("/v1/events", form, long+"x", field)
		f("/v1/events", form, `a\u0000b`, field)
		f("/v1/events", form, `a\u007fb`, field)
	}
	for theirs, field := range map[string]string{"messageId": "id", "userId": "user", "channel": "channel"} {
		form := `{"batch":[{"type":"page","anonymousId":"a","` + theirs + `":"ID"}]}`
		f("/v1/batch", form, long, "")
		f("/v1/batch", form, long+"x", field)
		f("/v1/batch", form, `a\nb`, field)
	}
	request := strings.Repeat("r", event.MaxRequestIDBytes)
	f("/v1/events", `{"type":"click","prediction":"ID"}`, event.PredictionID(request, 9999), "")
}
