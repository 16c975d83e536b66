package field

import (
	"errors"
	"testing"
)

func TestAnErrorIsASentence(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
	f(Wrong("rate", "is %d, want at least 1", 0), "rate is 0, want at least 1")
	f(Wrong("", "is empty"), "the value is empty")
	f(Within("ingest", Wrong("rate", "is 0")), "ingest.rate is 0")
	f(Within("features.cross[0]", Wrong("", "has 1 names")), "features.cross[0] has 1 names")
	other := errors.New("other")
	if Within("ingest", other) != other || Within("ingest", nil) != nil {
		t.Error("Within changes errors that name no field")
	}
}
