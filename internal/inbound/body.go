package inbound

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// TooLarge is an error about a body of more bytes than its stage takes. It is answered with the
// status 413.
type TooLarge struct {
	Limit    int
	unpacked bool
}

// Error names the limit.
func (e *TooLarge) Error() string {
	text := fmt.Sprintf("the body has more than %d bytes", e.Limit)
	if e.unpacked {
		text += " when it is unpacked"
	}
	return text
}

// Receive reads a request's body as it was sent. It waits for the client, so its caller holds
// nothing that other requests need; Text goes on from there.
func Receive(r *http.Request, limit int) ([]byte, error) {
	source := &watched{r: r.Body}
	raw, err := Within(limit, unreserved)(source)
	if source.err != nil {
		return nil, fmt.Errorf("the body could not be read whole: %w", source.err)
	}
	return raw, err
}

// Text unpacks a body as Unpack does, within the bound of Receive.
func Text(raw []byte, h http.Header, limit int) ([]byte, error) {
	text, err := Unpack(raw, h, Within(limit, unreserved))
	if large := (*TooLarge)(nil); errors.As(err, &large) {
		large.unpacked = true
	}
	return text, err
}

func unreserved(int) error { return nil }

// Within returns a Limited for texts of at most limit bytes; its error for longer ones is a
// *TooLarge. Memory grows with the bytes that have come, since a client may announce more than it
// sends. reserve is called before each n bytes of memory are taken, and its error is passed on.
func Within(limit int, reserve func(n int) error) Limited {
	return func(r io.Reader) ([]byte, error) {
		const first = 4 << 10
		if err := reserve(first); err != nil {
			return nil, err
		}
		buf := make([]byte, 0, first)
		for {
			n, err := r.Read(buf[len(buf):cap(buf)])
			buf = buf[:len(buf)+n]
			switch {
			case len(buf) > limit:
				return nil, &TooLarge{Limit: limit}
			case errors.Is(err, io.EOF):
				return buf, nil
			case err != nil:
				return nil, err
			}
			if len(buf) == cap(buf) {
				if err := reserve(cap(buf)); err != nil {
					return nil, err
				}
				buf = append(make([]byte, 0, 2*cap(buf)), buf...)
			}
		}
	}
}
