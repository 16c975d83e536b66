package ingest

import (
	"errors"
	"io"
	"net/http"

	"github.com/clickloop/clickloop/internal/inbound"
	"golang.org/x/sync/semaphore"
)

// body is the body of a request, with the memory that it holds of the collector's budget.
type body struct {
	budget *semaphore.Weighted
	held   int64
	limit  int
	raw    []byte // as it was sent
}

// readBody reads the body of a request. While it comes it holds nothing of the budget. The caller
// releases it, error or not.
func (c *collector) readBody(r *http.Request) (*body, error) {
	b := &body{budget: c.budget, limit: c.cfg.MaxBody}
	var err error
	switch b.raw, err = inbound.Receive(r, b.limit); {
	case errors.As(err, new(*inbound.TooLarge)):
		return b, errTooLarge(b.limit)
	case err != nil:
		return b, err
	}
	return b, b.hold(cap(b.raw))
}

// json returns the JSON that the body holds, however it is packed.
func (r *request) json() ([]byte, error) {
	return inbound.Unpack(r.body.raw, r.Header, r.body.read)
}

// read unpacks all of r, up to the limit, in memory of the budget.
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
