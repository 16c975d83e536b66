package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/clickloop/clickloop/internal/signing"
)

// Events bring the token of their prediction's answer back. Those of rows that an interrupted
// replay had played before are signed by its keys.
func TestEventsBringTheTokensOfAnswersBack(t *testing.T) {
	ring, err := signing.Hold("a secret of the replay's tests")
	if err != nil {
		t.Fatal(err)
	}
	const rows = 100
	for _, resume := range []int64{0, 60} {
		var mu sync.Mutex
		tokens := map[string]string{} // of events, by prediction
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			body, _ := io.ReadAll(r.Body)
			switch r.URL.Path {
			case "/v1/score":
				for _, line := range bytes.Split(bytes.TrimSpace(body), []byte("\n")) {
					var row struct{ Request string }
					if err := json.Unmarshal(line, &row); err != nil {
						t.Error(err)
					}
					fmt.Fprintf(w, `{"request":%q,"predictions":[{"prediction":"%s.0","ad":"\"token\":\"no\"","token":"of %s.0"}]}`+"\n", row.Request, row.Request, row.Request)
				}
			case "/v1/events":
				var events []struct{ Prediction, Token string }
				if err := json.Unmarshal(body, &events); err != nil {
					t.Error(err)
				}
				for _, e := range events {
					tokens[e.Prediction] = e.Token
				}
				fmt.Fprint(w, `{}`)
			case "/v1/model":
				fmt.Fprint(w, `{"examples":1000}`)
			}
		}))
		defer server.Close()
		d := driver(t, &stages{Server: server}, rows, func(c *Config) { c.Resume, c.Keys, c.Chunk = resume, ring, 9 })
		if err := d.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		own := 0
		for prediction, token := range tokens {
			row := fmt.Sprintf("of %s", prediction)
			if token == row {
				continue
			}
			own++
			if got := ring.Keys().Verify(token, prediction, 0, 0); got != signing.Valid && got != signing.Expired {
				t.Errorf("resumed at %d, %s has the token %q: %v", resume, prediction, token, got)
			}
		}
		if len(tokens) < 10 || (own > 0) != (resume > 0) || own == len(tokens) {
			t.Errorf("resumed at %d: %d of %d tokens are the driver's own", resume, own, len(tokens))
		}
		if len(d.tokens) != 0 {
			t.Errorf("%d tokens are left", len(d.tokens))
		}
	}
}
