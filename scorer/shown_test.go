package scorer

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/features"
)

// A context cannot say what will be shown: it is warned of by name, and scored as without it.
func TestAContextThatSaysWhatWillBeShownIsWarnedOf(t *testing.T) {
	s := newScorer(t, func(u *setup) {
		u.features.Shown = []features.ShownConfig{{Name: "position", Serve: "1"}}
	})
	f := func(context, candidate string, want ...string) {
		t.Helper()
		body := `{"request":"r` + context + candidate + `","context":{` + context + `},"candidates":[{"ad":"a","context":{` + candidate + `}},{"ad":"b","context":{` + candidate + `}}]}`
		body = strings.Replace(body, `"request":"r`+context+candidate+`",`, "", 1)
		var a answered
		w := post(s, body, "")
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 200 || len(a.Warnings) != len(want) {
			t.Fatalf("%s: %d %s, want %d warnings", body, w.Code, w.Body, len(want))
		}
		for i, v := range a.Warnings {
			if v.Field != want[i] || !strings.Contains(v.Message, "known only once an ad is shown") {
				t.Errorf("%s: %+v, want %s", body, v, want[i])
			}
		}
		c := read(t, s, body)
		s.score(t.Context(), c, false)
		got := string(c.records[0].Value)
		if strings.Count(got, "position") != 1 || !strings.Contains(got, `"features":{"position":1,`) {
			t.Errorf("%s: prediction %s", body, got)
		}
	}
	f(`"os":"x"`, `"size":2`)
	f(`"position":4`, ``, "context.position")
	f(``, `"position":4`, "candidates[0].context.position")
	f(`"position":4`, `"position":"5"`, "context.position")
}
