package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/stream"
)

// collected are the events of the topic whose id begins with prefix.
func collected(t *testing.T, client *stream.Client, prefix string) map[string]event.Event {
	t.Helper()
	found := map[string]event.Event{}
	for _, records := range read(t, client, event.TopicEvents) {
		for _, r := range records {
			e, err := event.ParseEvent(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(e.ID, prefix) && e.Type != event.TypeHeartbeat {
				found[e.ID] = e
			}
		}
	}
	return found
}

// buriedFrom are the dead letters from the one with an index on.
func buriedFrom(t *testing.T, client *stream.Client, from int) []event.DeadLetter {
	t.Helper()
	var found []event.DeadLetter
	for _, r := range read(t, client, event.TopicDeadLetter)[0][from:] {
		d, err := event.ParseDeadLetter(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, d)
	}
	return found
}

// broken are values that make an event no event, and whose end can be told.
var broken = []string{
	`NaN`, `Infinity`, `-Infinity`, `undefined`, `None`, `.5`, `+1`, `01`, `1.`, `0x10`, `1_000`, `'single'`, `[1,2,]`, `{"a":1,}`, `1 /* two */`, ``, `"\x"`, "\"a\nb\"",
	strings.Repeat("[", 50) + strings.Repeat("]", 50), strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000),
	"[" + strings.Repeat("1,", 1500) + "1]", `"` + strings.Repeat("x", 40_000) + `"`, "\"\xff\"", `{"a":1,"a":2}`, `1e999`, `{"a":[1}`,
}

// Whatever is broken in one event, in whatever form events come: the others are taken, it alone is
// rejected, and one dead letter tells its place.
func TestABrokenEventSparesTheOthers(t *testing.T) {
	_, client, server := stage(t, features.NewMemory(), false)
	n := 0
	f := func(path, form, value, place string) {
		t.Helper()
		n++
		tag := fmt.Sprintf("t%d-", n)
		before := len(read(t, client, event.TopicDeadLetter)[0])
		body := strings.NewReplacer("TAG", tag, "VALUE", value).Replace(form)
		status, _, a := send(t, "POST", server.URL+path, nil, strings.NewReader(body))
		if status != 200 || len(a.Results) != 3 || a.Results[0].Status != "accepted" || a.Results[1].Status != "rejected" || a.Results[2].Status != "accepted" {
			t.Errorf("%s with %.30s: status %d, %+v", path, value, status, a)
			return
		}
		if found := collected(t, client, tag); len(found) != 2 || found[tag+"1"].ID == "" || found[tag+"3"].ID == "" {
			t.Errorf("%s with %.30s: taken are %v", path, value, found)
		}
		buried := buriedFrom(t, client, before)
		if len(buried) != 1 || buried[0].Reason != a.Results[1].Reason || !strings.Contains(buried[0].Reason, place) || !strings.Contains(string(buried[0].Payload), tag+"2") {
			t.Errorf("%s with %.30s: %d dead letters, %+v, verdict %q, want one with %s", path, value, len(buried), buried, a.Results[1].Reason, place)
		}
	}
	for _, value := range broken {
		f("/v1/events", `[{"type":"page","id":"TAG1"}, {"type":"page","id":"TAG2","context":{"s":VALUE}},{"type":"page","id":"TAG3"}]`, value, "(events[1], byte ")
		f("/v1/batch", `{"batch":[{"type":"page","userId":"u","messageId":"TAG1"},{"type":"page","userId":"u","messageId":"TAG2","properties":{"s":VALUE}},{"type":"page","userId":"u","messageId":"TAG3"}],"sentAt":"2026-11-25T09:00:00Z"}`,
			value, "(batch[1], byte ")
		if !strings.Contains(value, "\n") {
			f("/v1/events", `{"type":"page","id":"TAG1"}`+"\n"+`{"type":"page","id":"TAG2","context":{"s":VALUE}}`+"\n"+`{"type":"page","id":"TAG3"}`, value, "(line 2, byte ")
		}
	}
}

// A string without an end makes the end of its event a guess: what came before is taken, the rest
// is told and buried.
func TestWhatCannotBeToldApartIsLostFromThereOn(t *testing.T) {
	_, client, server := stage(t, features.NewMemory(), false)
	f := func(path, body, verdicts, place, payload string) {
		t.Helper()
		before := len(read(t, client, event.TopicDeadLetter)[0])
		status, _, a := send(t, "POST", server.URL+path, nil, strings.NewReader(body))
		got, reason := "", ""
		for _, r := range a.Results {
			got += r.Status[:1]
			if r.Reason != "" {
				reason = r.Reason
			}
		}
		if status != 200 || got != verdicts || !strings.Contains(reason, place) {
			t.Errorf("%s: status %d, %+v, want %s with %s", body, status, a, verdicts, place)
		}
		if buried := buriedFrom(t, client, before); len(buried) != 1 || string(buried[0].Payload) != payload || buried[0].Reason != reason {
			t.Errorf("%s: dead letters %+v, want %s", body, buried, payload)
		}
	}
	f("/v1/events", `[{"type":"page"},{"type":"page","x":"y},{"type":"page"}]`, "ar", "the rest of the body is lost (events[1], byte 18)", `{"type":"page","x":"y},{"type":"page"}]`)
	f("/v1/events", `[{"type":"page"},{"type":"page"},`, "aar", "the array has no end", ``)
	f("/v1/events", `[{"type":"page"}] {"type":"page"}`, "ar", "follows the end of the array", `{"type":"page"}`)
	f("/v1/events", `[{"type":"page"},,{"type":"page"}]`, "ara", "a comma stands where an event should", ``)
	f("/v1/batch", `{"batch":[{"type":"page","userId":"u"},{"type":"page","x":"y}],"sentAt":"2026-11-25T09:00:00Z"}`, "ar", "(batch[1], byte 40)", `{"type":"page","x":"y}],"sentAt":"2026-11-25T09:00:00Z"}`)
	f("/v1/batch", `{"batch":[{"type":"page","userId":"u"}],"sentAt":"2026`, "ar", "the rest of the body is lost", `"2026`)
	f("/v1/batch", `{"batch":[{"type":"page","userId":"u"}]`, "ar", "no end", ``)
	f("/v1/batch", `{"batch":[{"type":"page","userId":"u"}], writeKey: 7}`, "ar", "the rest of the body is lost", `writeKey: 7}`)
}

// What stands for all of a batch and cannot be read is told and buried; its messages are taken
// without it.
func TestABatchDoesWithoutWhatCannotBeRead(t *testing.T) {
	_, client, server := stage(t, features.NewMemory(), false)
	f := func(member, warning string) {
		t.Helper()
		before := len(read(t, client, event.TopicDeadLetter)[0])
		status, _, a := send(t, "POST", server.URL+"/v1/batch", nil, strings.NewReader(`{`+member+`,"batch":[{"type":"page","userId":"u","messageId":"m","context":{"a":1}}]}`))
		if status != 200 || len(a.Results) != 1 || a.Results[0].Status != "accepted" || len(a.Warnings) != 1 || !strings.Contains(a.Warnings[0], warning) {
			t.Errorf("%s: status %d, %+v, want a warning with %s", member, status, a, warning)
		}
		if buried := buriedFrom(t, client, before); len(buried) != 1 || !strings.Contains(buried[0].Reason, warning) || !strings.HasSuffix(member, string(buried[0].Payload)) {
			t.Errorf("%s: dead letters %+v", member, buried)
		}
	}
	f(`"context":{"a":NaN}`, "the batch's context is left out of its messages: ")
	f(`"context":[1]`, "is an array, expected an object")
	f(`"sentAt":"yesterday"`, "the batch's sentAt is left out of its messages: ")
	f(`"sentAt":undefined`, `found "undefined"`)
	if status, _, a := send(t, "POST", server.URL+"/v1/batch", nil, strings.NewReader(`{"x":NaN,"batch":[{"type":"page","userId":"u"}]}`)); status != 200 || len(a.Warnings) != 0 || a.Results[0].Status != "accepted" {
		t.Errorf("what nobody needs: status %d, %+v", status, a)
	}
}

func TestABodyWithoutAnythingGoodIsRefused(t *testing.T) {
	_, client, server := stage(t, features.NewMemory(), false)
	f := func(path, body string, status int, want string) {
		t.Helper()
		got, _, a := send(t, "POST", server.URL+path, nil, strings.NewReader(body))
		if got != status || !strings.Contains(a.Error.Message, want) {
			t.Errorf("%s %.60s: status %d, %+v, want %d with %s", path, body, got, a, status, want)
		}
	}
	f("/v1/events", `{"type":"page","x":NaN}`, 400, `found "NaN"`)
	// one event over lines, not four
	f("/v1/events", "{\n\"type\":\"page\",\n\"x\":NaN\n}", 400, `found "NaN"`)
	f("/v1/events", `[{"type":"page","x":NaN}]`, 400, `found "NaN"`)
	f("/v1/events", `[`, 400, "the array has no end")
	f("/v1/events", `NaN`, 400, "is no JSON object or array")
	f("/v1/events", "NaN\nNaN", 400, "is no JSON object or array")
	f("/v1/track", `{"userId":"u","event":"x","properties":{"a":NaN}}`, 400, `found "NaN"`)
	f("/v1/batch", `[]`, 400, "is an array, expected an object")
	f("/v1/batch", `{"batch":{}}`, 400, "batch is missing, want an array of messages")
	f("/v1/batch", `{"batch":[],"batch":[]}`, 400, "batch is given twice")
	f("/v1/batch", `{"x":"y}`, 400, "the rest of the body is lost")
	f("/v1/batch", `{"batch":[`+strings.Repeat("{},", DefaultConfig().MaxEvents)+`{}]}`, 400, "batch has too many elements: at most 5000")
	if n := len(read(t, client, event.TopicDeadLetter)[0]); n != 0 {
		t.Errorf("%d dead letters, want none: the senders know", n)
	}
	// An SDK drops a batch that is refused, good or not: it gets verdicts, and the letters are
	// kept.
	if status, _, a := send(t, "POST", server.URL+"/v1/batch", nil, strings.NewReader(`{"batch":[{"x":NaN},]}`)); status != 200 || len(a.Results) != 2 {
		t.Errorf("status %d, %+v", status, a)
	}
	if n := len(read(t, client, event.TopicDeadLetter)[0]); n != 2 {
		t.Errorf("%d dead letters, want 2", n)
	}
}

// Half an emoji, a byte order mark, packed bodies and forms: what a sender cannot help is taken.
func TestWhatSendersCannotHelpIsTaken(t *testing.T) {
	_, client, server := stage(t, features.NewMemory(), false)
	f := func(id, body, contentType string, warnings int) {
		t.Helper()
		status, _, a := send(t, "POST", server.URL+"/v1/events", map[string]string{"Content-Type": contentType}, strings.NewReader(strings.ReplaceAll(body, "ID", id)))
		if status != 200 || len(a.Results) == 0 || a.Results[0].ID != id || len(a.Results[0].Warnings) != warnings {
			t.Errorf("%q: status %d, %+v", body, status, a)
		}
	}
	f("h1", `{"id":"ID","type":"page","properties":{"title":"Sale \ud83d"}}`, "", 1)
	f("h2", `[{"id":"ID","type":"page","properties":{"\udc00":1}}]`, "", 1)
	f("h3", "\ufeff"+`{"id":"ID","type":"page"}`+"\n"+`{"type":"page"}`, "", 0)
	f("h4", `data=%7B%22id%22%3A%22ID%22%2C%22type%22%3A%22page%22%7D`, "application/x-www-form-urlencoded", 0)
	f("h5", `{"id":"ID","type":"page","properties":{"order":9007199254740993}}`, "application/x-www-form-urlencoded", 0)
	found := collected(t, client, "h")
	if title, _ := found["h1"].Properties.Lookup("title"); len(found) != 5 || title.Str != "Sale \ufffd" {
		t.Errorf("taken are %+v", found)
	}
	if order, _ := found["h5"].Properties.Lookup("order"); order.Str != "9007199254740993" {
		t.Errorf("an id of 16 digits became %+v", order)
	}
	status, h, a := send(t, "POST", server.URL+"/v1/events", map[string]string{"Content-Encoding": "br"}, strings.NewReader("\x8b\x0c"))
	if status != 415 || h.Get("Accept-Encoding") != "gzip, deflate, zstd" || a.Error.Code != "unsupported" || !strings.Contains(a.Error.Message, `"br"`) {
		t.Errorf("brotli: status %d, %v, %+v", status, h, a)
	}
}

func TestWhatNobodyKnowsIsWarnedOfByName(t *testing.T) {
	_, _, server := stage(t, features.NewMemory(), false)
	f := func(body string, want ...string) {
		t.Helper()
		status, _, a := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(body))
		if status != 200 || fmt.Sprint(a.Results[0].Warnings) != fmt.Sprint(want) {
			t.Errorf("%.80s: status %d, %q, want %q", body, status, a.Results[0].Warnings, want)
		}
	}
	f(`{"type":"click","user":"u"}`)
	f(`{"type":"click","predictionId":"p"}`, "predictionId is not known; did you mean prediction?")
	f(`[{"type":"click","userId":"u","timestamp":"2026-11-25T09:00:00Z"}]`, "userId is not known; did you mean user?", "timestamp is not known; did you mean time?")
	f(`{"type":"click","zebra":{"a":1}}`, "zebra is not known and left out; facts of your own go into properties or context")
	var many strings.Builder
	for i := range 300 {
		fmt.Fprintf(&many, `,"zebra%d":1`, i)
	}
	status, _, a := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(`{"type":"click"`+many.String()+`}`))
	if w := a.Results[0].Warnings; status != 200 || len(w) != 9 || w[8] != "292 more fields are not known and left out" {
		t.Errorf("of 300 fields: status %d, %q", status, w)
	}
	status, _, a = send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(strings.Repeat(`{"type":"click","ts":1,"zebra":2}`+"\n", 150)))
	n := 0
	for _, r := range a.Results {
		n += len(r.Warnings)
	}
	if status != 200 || n != maxWarnings || len(a.Warnings) != 1 || a.Warnings[0] != "100 more warnings are left out" {
		t.Errorf("of 300 warnings: status %d, %d are told, and %q", status, n, a.Warnings)
	}
	// Why an event is rejected may be the name of a field.
	if status, _, a := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(`{"event":"click"}`)); status != 400 || a.Results[0].Warnings[0] != "event is not known; did you mean type?" {
		t.Errorf("status %d, %+v", status, a)
	}
}

func TestParametersThatNobodyKnowsAreNamed(t *testing.T) {
	_, _, server := stage(t, features.NewMemory(), false)
	f := func(method, path, body string, status int, want string) {
		t.Helper()
		got, _, a := send(t, method, server.URL+path, nil, strings.NewReader(body))
		if told := a.Error.Message + strings.Join(a.Warnings, "; "); got != status || told != want {
			t.Errorf("%s %s: status %d, %q, want %d, %q", method, path, got, told, status, want)
		}
	}
	f("POST", "/v1/events?clok=2026-11-25T09:00:00Z", `{"type":"page"}`, 400, "clok is not known; did you mean clock?")
	f("GET", "/v1/clock?fold=2026-11-25T09:00:00Z", ``, 400, "fold is not known; did you mean folded?")
	f("GET", "/v1/clock?wait=1ms", ``, 200, "")
	f("GET", "/v1/clock?wait=2m", ``, 400, "wait is not a duration up to 1m, such as 20s")
	f("GET", "/v1/clock?wait=-1s", ``, 400, "wait is not a duration up to 1m, such as 20s")
	f("GET", "/v1/clock?folded=now", ``, 400, "folded is not RFC 3339, such as 2026-11-25T09:00:00.123Z")
	f("POST", "/v1/track?writeKey=k", `{"userId":"u","event":"x"}`, 200, "")
	f("POST", "/v1/track?clock=1&_=2", `{"userId":"u","event":"x"}`, 200, "parameter _ is not known; known are writeKey; parameter clock is not known; known are writeKey")
}
