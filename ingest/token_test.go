package ingest

import (
	"fmt"
	"strings"
	"testing"
)

// A property token is the prediction's where the event names a prediction, and else the sender's
// own business.
func TestATokenIsLiftedBesideAPrediction(t *testing.T) {
	long := strings.Repeat("t", 257)
	for _, x := range []struct{ properties, token, warning string }{
		{`{"prediction":"p","token":"t"}`, "t", ""},
		{`{"token":"t","predictionId":"p"}`, "t", ""},
		{`{"prediction":"p","prediction_token":"t"}`, "t", ""},
		{`{"prediction":"p","predictionToken":"t","token":""}`, "t", ""},
		{`{"prediction":"p","token":5}`, "", ""},
		{`{"prediction":"p","token":{"a":1}}`, "", ""},
		{`{"token":"a session's"}`, "", ""},
		{`{"token":"` + long + `"}`, "", ""},
		{`{"prediction":"p","token":"` + long + `"}`, "", "[properties.token is no token of a prediction: it has 257 bytes, at most 256 are allowed]"},
		{`{"prediction":"p","token":"` + long + `","prediction_token":"t"}`, "t", "[properties.token is no token of a prediction: it has 257 bytes, at most 256 are allowed]"},
	} {
		it := callOf(t, `"properties":`+x.properties)
		if x.warning == "" {
			x.warning = "[]"
		}
		if got := fmt.Sprint(messages(it.notes.texts)); it.err != nil || it.event.Token != x.token || got != x.warning {
			t.Errorf("%.60s: %q, %s, %v, want %q, %s", x.properties, it.event.Token, got, it.err, x.token, x.warning)
		}
	}
}
