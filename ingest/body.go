package ingest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/clickloop/clickloop/event"
	"golang.org/x/sync/semaphore"
)

// bodyTimeout is how long a client may take to send a body: what a slow one holds is missing for others.
const bodyTimeout = 30 * time.Second

// errTooLarge and errBusy are answers that concern a whole request.
var (
	errTooLarge = errors.New("the body is too large")
	errBusy     = errors.New("too many bytes of requests are under way")
)

// body is a request's body with what it holds of the budget.
type body struct {
	budget *semaphore.Weighted
	held   int64
	limit  int
	bytes  []byte
}

// readBody reads a request's body, unpacking gzip whether or not it is declared. The caller releases it, error or not.
func (c *collector) readBody(w http.ResponseWriter, r *http.Request) (*body, error) {
	b := &body{budget: c.budget, limit: c.cfg.MaxBody}
	// Not every ResponseWriter can be given a deadline; the server's own is then all there is.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	raw, err := b.read(r.Body)
	if err != nil {
		return b, bodyError("could not be read whole", err)
	}
	b.bytes = raw
	if len(raw) < 2 || raw[0] != 0x1f || raw[1] != 0x8b {
		return b, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err == nil {
		b.bytes, err = b.read(z)
	}
	return b, bodyError("is not gzip", err)
}

func bodyError(what string, err error) error {
	if err == nil || errors.Is(err, errTooLarge) || errors.Is(err, errBusy) {
		return err
	}
	return &event.Error{Reason: what + ": " + err.Error()}
}

// read reads all of r, up to the limit, and takes memory from the budget as it grows: what a client announces is not believed.
func (b *body) read(r io.Reader) ([]byte, error) {
	const first = 4 << 10
	if err := b.take(first); err != nil {
		return nil, err
	}
	buf := make([]byte, 0, first)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > b.limit:
			return nil, errTooLarge
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return nil, err
		}
		if len(buf) == cap(buf) {
			if err := b.take(cap(buf)); err != nil {
				return nil, err
			}
			buf = append(make([]byte, 0, 2*cap(buf)), buf...)
		}
	}
}

func (b *body) take(n int) error {
	if !b.budget.TryAcquire(int64(n)) {
		return errBusy
	}
	b.held += int64(n)
	return nil
}

// release gives back what the body held of the budget.
func (b *body) release() {
	b.budget.Release(b.held)
	b.held = 0
}

// split cuts a body into events: an array, one object, or JSON lines.
func (c *collector) split(b []byte) ([][]byte, error) {
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0:
		return nil, &event.Error{Reason: "is empty, want an event, an array of events, or one event a line"}
	case b[0] == '[':
		return event.SplitArray(b, c.cfg.MaxEvents)
	case b[0] != '{':
		return nil, &event.Error{Reason: "is no JSON object or array"}
	}
	if bytes.IndexByte(b, '\n') < 0 {
		return [][]byte{b}, nil
	}
	var r event.Reader
	r.Reset(string(b), event.Limits{Bytes: c.cfg.MaxBody, Depth: 1})
	r.Skip()
	if r.End() == nil { // one event over several lines
		return [][]byte{b}, nil
	}
	return event.SplitLines(b, c.cfg.MaxEvents)
}

// tooMany says that a body's parts are more than a request may bring.
func tooMany(limit int) string {
	return fmt.Sprintf("has too many messages: at most %d are allowed", limit)
}
