// Package web is what the HTTP interfaces of the stages share: the server with its deadlines, and
// the form of answers, errors and warnings. What a request brings is internal/inbound's.
package web

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/clickloop/clickloop/event"
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

// Refuse writes {"error":{...}} as AppendError gives it.
func Refuse(w http.ResponseWriter, status int, code string, err error) {
	WriteJSON(w, status, append(AppendError([]byte("{"), code, err), '}'))
}

// AppendError appends the member error: its code (bad_request if empty), err's text as message, and
// the field where err names one.
func AppendError(b []byte, code string, err error) []byte {
	if code == "" {
		code = "bad_request"
	}
	b = append(b, `"error":{"code":"`...)
	b = append(b, code...)
	b = append(b, `","message":`...)
	b = event.AppendString(b, err.Error())
	var wrong *event.Error
	if errors.As(err, &wrong) && wrong.Field != "" {
		b = append(b, `,"field":`...)
		b = event.AppendString(b, wrong.Field)
	}
	return append(b, '}')
}

// Warning is what a client should hear about a request that is answered all the same.
type Warning struct {
	Field   string // that it is about; empty when it is about none
	Message string
	Nearest string // the known name that was probably meant; empty for none
}

// AppendWarnings appends the member warnings with a comma before it, and nothing when there are
// none.
func AppendWarnings(b []byte, warnings []Warning) []byte {
	if len(warnings) == 0 {
		return b
	}
	b = append(b, `,"warnings":`...)
	open := byte('[')
	for i := range warnings {
		w := &warnings[i]
		b = append(b, open, '{')
		open = ','
		if w.Field != "" {
			b = event.AppendString(append(b, `"field":`...), w.Field)
			b = append(b, ',')
		}
		b = event.AppendString(append(b, `"message":`...), w.Message)
		if w.Nearest != "" {
			b = event.AppendString(append(b, `,"nearest":`...), w.Nearest)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}
