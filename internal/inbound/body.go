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

// Read reads a request's body and unpacks it as Unpack does. When either form of it has more than
// limit bytes the error is a *TooLarge. Memory grows with the bytes that have come, since a client
// may announce more than it sends. reserve is called before each n bytes of it are taken; its error
// is passed on.
func Read(r *http.Request, limit int, reserve func(n int) error) ([]byte, error) {
	body := bounded{limit: limit, reserve: reserve}
	source := &watched{r: r.Body}
	raw, err := body.read(source)
	if source.err != nil {
		return nil, errors.New("the body could not be read whole: " + source.err.Error())
	}
	if err != nil {
		return nil, err
	}
	body.unpacked = true
	return Unpack(raw, r.Header, body.read)
}

// bounded reads within a limit, in memory that it reserves.
type bounded struct {
	limit    int
	reserve  func(n int) error
	unpacked bool
}

func (b *bounded) read(r io.Reader) ([]byte, error) {
	const first = 4 << 10
	if err := b.reserve(first); err != nil {
		return nil, err
	}
	buf := make([]byte, 0, first)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > b.limit:
			return nil, &TooLarge{b.limit, b.unpacked}
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return nil, err
		}
		if len(buf) == cap(buf) {
			if err := b.reserve(cap(buf)); err != nil {
				return nil, err
			}
			buf = append(make([]byte, 0, 2*cap(buf)), buf...)
		}
	}
}
