package scorer

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// wide is a request whose context has so many fields.
func wide(id string, fields, candidates, choose int, value string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"request":"%s","choose":%d,"user":"u","context":{`, id, choose)
	for i := range fields {
		fmt.Fprintf(&b, `%s"f%d":%s`, strings.Repeat(",", min(i, 1)), i, value)
	}
	b.WriteString(`},"candidates":[` + strings.Repeat(`{"ad":"a"},`, candidates-1) + `{"ad":"a"}]}`)
	return b.String()
}

// A context counts once for each candidate, and an element of a list as a field.
func TestTheFieldsOfAllCandidatesAreBounded(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.MaxCandidates = 100 })
	f := func(body string, want int, reason string) {
		t.Helper()
		if w := post(s, body, ""); w.Code != want || !strings.Contains(w.Body.String(), reason) {
			t.Errorf("status %d, want %d with %q: %.300s", w.Code, want, reason, w.Body)
		}
	}
	f(wide("r1", 4000, 6, 0, "1"), 200, "")
	f(wide("r2", 4000, 7, 0, "1"), 400, "makes 28000 fields of all 7 candidates, at most 24000")
	f(wide("r3", 240, 100, 0, "1"), 200, "")
	f(wide("r4", 241, 100, 0, "1"), 400, "makes 24100 fields")
	f(wide("r5", 4001, 1, 0, "1"), 400, "has 4001 fields with those of candidate 0, at most 4000")
	f(wide("r6", 2000, 1, 0, `["a"]`), 200, "")
	f(wide("r7", 2000, 1, 0, `["a","b"]`), 400, "has 6000 fields")
	f(strings.Replace(wide("r8", 3999, 1, 0, "1"), `{"ad":"a"}`, `{"ad":"a","context":{"x":1,"y":2}}`, 1), 400, "has 4001 fields")
	if w := post(s, wide("r9", 4001, 1, 0, "1")+"\n"+wide("r10", 10, 1, 0, "1"), "application/x-ndjson"); w.Code != 200 ||
		strings.Count(w.Body.String(), `"error"`) != 1 || !strings.Contains(w.Body.String(), `"request":"r10"`) {
		t.Errorf("of two lines one is too wide: %d %.300s", w.Code, w.Body)
	}
}

// Requests are answered as long as their predictions have room, and the others say why not.
func TestThePredictionsOfACallAreBounded(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.MaxBody = 4 << 20 })
	var lines []string
	for i := range 8 {
		lines = append(lines, wide(fmt.Sprint("r", i), 900, 100, 400, "123456")) // 100 predictions of 14 kB
	}
	q := strings.Join(lines, "\n")
	w := post(s, q, "application/x-ndjson")
	if refused := strings.Count(w.Body.String(), "more than 33554432 bytes"); w.Code != 200 || refused != 0 {
		t.Errorf("11 MB of predictions: %d, %d refused", w.Code, refused)
	}
	for i := 8; i < 40; i++ {
		lines = append(lines, wide(fmt.Sprint("r", i), 900, 100, 400, "123456"))
	}
	w = post(s, strings.Join(lines[8:], "\n")+"\n"+wide("last", 1, 1, 1, "1"), "application/x-ndjson")
	refused := strings.Count(w.Body.String(), "more than 33554432 bytes")
	if w.Code != 200 || refused < 1 || refused > 12 || !strings.Contains(w.Body.String(), `"prediction":"last.0"`) {
		t.Errorf("40 MB of predictions: %d, %d of 32 refused, and the small one at the end: %v", w.Code, refused, strings.Contains(w.Body.String(), `"last.0"`))
	}
}

// Requests with many fields share what large bodies may take, and give it back.
func TestWideRequestsTakeMoreSlots(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.MaxInFlight = 10 })
	body := wide("r1", 2000, 30, 0, "1") // 60,000 fields: six slots more, where one body has five
	if !s.slots.extra.TryAcquire(1) {
		t.Fatal("a slot is taken")
	}
	if w := post(s, body, ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("beside another body: status %d, want 503: %.200s", w.Code, w.Body)
	}
	s.slots.extra.Release(1)
	if w := post(s, body, ""); w.Code != 200 {
		t.Errorf("alone: status %d, want 200: %.200s", w.Code, w.Body)
	}
	narrow := wide("r2", 2000, 20, 0, "1")
	for range 3 {
		if w := post(s, narrow, ""); w.Code != 200 {
			t.Errorf("status %d, want 200: %.200s", w.Code, w.Body)
		}
	}
	if !s.slots.extra.TryAcquire(5) || !s.slots.all.TryAcquire(10) {
		t.Error("slots were not given back")
	}
}
