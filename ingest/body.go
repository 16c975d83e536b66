package ingest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/strictjson"
	"golang.org/x/sync/semaphore"
)

// bodyTimeout is how long a client may take to send a body: what a slow one holds is missing for
// others.
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

// readBody reads a request's body as inbound.Unpack does. The caller releases it, error or not.
func (c *collector) readBody(w http.ResponseWriter, r *http.Request) (*body, error) {
	b := &body{budget: c.budget, limit: c.cfg.MaxBody}
	// Not every ResponseWriter can be given a deadline; the server's own is then all there is.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	raw, err := b.read(r.Body)
	if err != nil {
		if !errors.Is(err, errTooLarge) && !errors.Is(err, errBusy) {
			err = &event.Error{Reason: "could not be read whole: " + err.Error()}
		}
		return b, err
	}
	b.bytes, err = inbound.Unpack(raw, r.Header, b.read)
	return b, err
}

// read reads all of r, up to the limit, and takes memory from the budget as it grows: what a client
// announces is not believed.
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

// split cuts a body into events: an array, one object, or JSON lines. A line that is broken, be it
// the first, spares the others: lines are events as soon as one of them is a whole object.
func (c *collector) split(b []byte) ([]strictjson.Part, error) {
	text := bytes.TrimSpace(b)
	if len(text) == 0 {
		return nil, &event.Error{Reason: "is empty, want an event, an array of events, or one event a line"}
	}
	if text[0] == '[' {
		return strictjson.SplitArray(b, c.cfg.MaxEvents)
	}
	if bytes.IndexByte(text, '\n') >= 0 && !strictjson.IsObject(text) {
		parts, err := strictjson.SplitLines(b, c.cfg.MaxEvents)
		if err != nil || slices.ContainsFunc(parts, func(p strictjson.Part) bool { return strictjson.IsObject(p.Text) }) {
			return parts, err
		}
	}
	if text[0] != '{' {
		return nil, &event.Error{Reason: "is no JSON object or array"}
	}
	return []strictjson.Part{{Text: text, At: bytes.IndexByte(b, '{')}}, nil
}
