package web

import (
	"container/list"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	// waitingBytes bounds the memory of bodies that have not come whole and of answers that are not
	// read. A server takes twice as much, since the memory of a body doubles as it grows.
	waitingBytes      = 64 << 20
	adminWaitingBytes = 8 << 20 // the same of the admin port
	// unwatchedBytes are what every connection may hold beside it
	unwatchedBytes = 8 << 10
)

// waiting counts the bytes that are held while a client sends or reads. Above its limit it closes
// the connections that hold theirs the longest: others must not be refused because some clients are
// slow. One that is alone may hold more, as its stage bounds bodies and answers.
type waiting struct {
	most int

	mu    sync.Mutex
	bytes int
	order list.List // of *held, the longest waiting first
}

// held is the bytes of one body or answer.
type held struct {
	conn  *conn
	bytes int
	place *list.Element // nil before the first byte
	cut   bool          // its connection was closed to make room
}

// grow sets the bytes of h, which have become more.
func (w *waiting) grow(h *held, bytes int) {
	w.mu.Lock()
	var cut []*conn
	if !h.cut {
		if h.place == nil {
			h.place = w.order.PushBack(h)
		}
		w.bytes += bytes - h.bytes
		h.bytes = bytes
		for w.bytes > w.most && w.order.Len() > 1 {
			longest := w.order.Front().Value.(*held)
			w.forget(longest)
			longest.cut = true
			cut = append(cut, longest.conn)
		}
	}
	w.mu.Unlock()
	for _, c := range cut {
		c.all.metrics.close(c.all.port, closedMemory)
		_ = c.Close()
	}
}

// release ends the wait of h.
func (w *waiting) release(h *held) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h.place != nil {
		w.forget(h)
	}
}

func (w *waiting) forget(h *held) {
	w.order.Remove(h.place)
	w.bytes -= h.bytes
	h.place, h.bytes = nil, 0
}

// incoming is the body of a request while it comes.
type incoming struct {
	io.ReadCloser
	held   held
	read   int
	stream *stream
}

// receive gives the client until bodyTime to send the body of r. The caller calls end after the
// request.
func (c *conn) receive(r *http.Request, stream *stream) *incoming {
	b := &incoming{ReadCloser: r.Body, held: held{conn: c}, stream: stream}
	b.until(time.Now().Add(bodyTime))
	return b
}

// until sets the deadline of the body. What is closed says so when it is read.
func (b *incoming) until(t time.Time) {
	if b.stream != nil {
		_ = b.stream.SetReadDeadline(t)
		return
	}
	_ = b.held.conn.SetReadDeadline(t)
}

// Read reads from the client.
func (b *incoming) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.read += n; n > 0 && b.read > unwatchedBytes {
		b.held.conn.all.waiting.grow(&b.held, b.read)
	}
	if err != nil {
		b.end()
	}
	switch {
	case errors.Is(err, io.EOF): // else the deadline would end the work
		b.until(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.held.conn.all.metrics.close(b.held.conn.all.port, closedBody)
	}
	return n, err
}

func (b *incoming) end() { b.held.conn.all.waiting.release(&b.held) }

// outgoing is an answer. It counts what a write holds until the client has read it; the connection
// cannot, since TLS cuts what is written into small pieces.
type outgoing struct {
	http.ResponseWriter
	held   held
	stream *stream
	sent   int
	status int // that was answered; 0: 200, or nothing yet
}

// WriteHeader begins the answer.
func (o *outgoing) WriteHeader(status int) {
	o.held.conn.all.drain.close(o.Header())
	if o.status < http.StatusOK { // others before the last one are informational
		o.status = status
	}
	o.ResponseWriter.WriteHeader(status)
}

// Write writes to the client.
func (o *outgoing) Write(b []byte) (int, error) {
	if o.sent == 0 {
		o.held.conn.all.drain.close(o.Header())
	}
	o.sent += len(b)
	o.stream.answering(o.sent)
	if len(b) > unwatchedBytes {
		w := &o.held.conn.all.waiting
		w.grow(&o.held, len(b))
		defer w.release(&o.held)
	}
	return o.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (o *outgoing) Unwrap() http.ResponseWriter { return o.ResponseWriter }
