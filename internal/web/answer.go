// Package web is what the stages' HTTP interfaces share: the server with its deadlines, and the
// form of answers and errors. What a request brings is internal/inbound's.
package web

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// WriteJSON writes a whole answer.
func WriteJSON(w http.ResponseWriter, status int, b []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that is gone cannot be told
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
	b = strictjson.AppendString(b, err.Error())
	var wrong *event.Error
	if errors.As(err, &wrong) && wrong.Field != "" {
		b = append(b, `,"field":`...)
		b = strictjson.AppendString(b, wrong.Field)
	}
	return append(b, '}')
}
