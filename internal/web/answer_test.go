package web

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
)

func TestErrorsNameTheirCodeAndTheirField(t *testing.T) {
	f := func(code string, err error, want string) {
		t.Helper()
		w := httptest.NewRecorder()
		Refuse(w, http.StatusConflict, code, err)
		if got := w.Body.String(); got != want || w.Code != http.StatusConflict || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%v: %d %s, want %s", err, w.Code, got, want)
		}
	}
	f("conflict", errors.New(`a "b"`), `{"error":{"code":"conflict","message":"a \"b\""}}`)
	f("", &event.Error{Field: "user", Reason: "is empty"}, `{"error":{"code":"bad_request","message":"user is empty","field":"user"}}`)
}

func TestWarningsAreAMember(t *testing.T) {
	f := func(want string, warnings ...Warning) {
		t.Helper()
		o := strictjson.NewObject(nil)
		AddWarnings(&o, warnings)
		if got := string(o.End()); got != want {
			t.Errorf("%+v: %s, want %s", warnings, got, want)
		}
	}
	f("{}")
	f(`{"warnings":[{"message":"a"},{"field":"b","message":"c","nearest":"d"}]}`, Warning{Message: "a"}, Warning{"b", "c", "d"})
}
