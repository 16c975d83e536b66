// Package web is what the HTTP interfaces of the stages share: the server with its deadlines, and
// the form of answers, errors and warnings. What a request brings is internal/inbound's.
package web

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// Write writes a whole answer.
func Write(w http.ResponseWriter, status int, contentType string, b []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that is gone cannot be told
}

// WriteJSON writes a whole answer.
func WriteJSON(w http.ResponseWriter, status int, b []byte) {
	Write(w, status, "application/json", b)
}

// Refuse writes {"error":{...}} as AppendError gives it. Who comes too often, or too early, is told
// when to come again: in a second, unless the caller has set Retry-After.
func Refuse(w http.ResponseWriter, status int, code string, err error) {
	if h := w.Header(); (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) && h.Get("Retry-After") == "" {
		h.Set("Retry-After", "1")
	}
	WriteJSON(w, status, append(AppendError([]byte("{"), code, err), '}'))
}

// AppendError appends the member error: its code (bad_request if empty), err's text as message, and
// the field where err names one.
func AppendError(b []byte, code string, err error) []byte {
	if code == "" {
		code = "bad_request"
	}
	o := strictjson.NewObject(append(b, `"error":`...))
	o.Text("code", code)
	o.Text("message", err.Error())
	var wrong *event.Error
	if errors.As(err, &wrong) {
		o.OptionalText("field", wrong.Field)
	}
	return o.End()
}

// Warning is what a client should hear about a request that is answered all the same.
type Warning struct {
	Field   string // that it is about; empty when it is about none
	Message string
	Nearest string // the known name that was probably meant; empty for none
}

// AddWarnings adds the member warnings, unless there are none.
func AddWarnings(o *strictjson.Object, warnings []Warning) {
	if len(warnings) == 0 {
		return
	}
	o.Key("warnings")
	open := byte('[')
	for _, w := range warnings {
		inner := strictjson.NewObject(append(o.Buf, open))
		inner.OptionalText("field", w.Field)
		inner.Text("message", w.Message)
		inner.OptionalText("nearest", w.Nearest)
		o.Buf = inner.End()
		open = ','
	}
	o.Buf = append(o.Buf, ']')
}
