package ingest

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/inbound"
	"golang.org/x/sync/semaphore"
)

// bodyTimeout is how long a client may take to send a body: a slow client holds memory that others
// need.
const bodyTimeout = 30 * time.Second

// body is the body of a request, with the memory that it holds of the collector's budget.
type body struct {
	budget *semaphore.Weighted
	held   int64
	limit  int
	raw    []byte // as it was sent
}

// readBody reads the body of a request. The caller releases it, error or not.
func (c *collector) readBody(w http.ResponseWriter, r *http.Request) (*body, error) {
	b := &body{budget: c.budget, limit: c.cfg.MaxBody}
	// a ResponseWriter that has no deadline of its own keeps the one of the server
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	var err error
	b.raw, err = b.read(r.Body)
	if err != nil && !errors.As(err, new(*refusal)) {
		err = &event.Error{Reason: "could not be read whole: " + err.Error()}
	}
	return b, err
}

// json returns the JSON that the body holds, however it is packed.
func (r *request) json() ([]byte, error) {
	return inbound.Unpack(r.body.raw, r.Header, r.body.read)
}

// read reads all of r, up to the limit, in memory of the budget.
func (b *body) read(r io.Reader) ([]byte, error) {
	text, err := inbound.Within(b.limit, b.hold)(r)
	if errors.As(err, new(*inbound.TooLarge)) {
		err = errTooLarge(b.limit)
	}
	return text, err
}

// hold takes n bytes from the budget.
func (b *body) hold(n int) error {
	if !b.budget.TryAcquire(int64(n)) {
		return errBusy
	}
	b.held += int64(n)
	return nil
}

// release returns all that the body holds to the budget.
func (b *body) release() {
	b.budget.Release(b.held)
	b.held = 0
}
