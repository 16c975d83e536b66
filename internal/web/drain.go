package web

import (
	"net/http"
	"sync/atomic"
	"time"
)

const (
	quietTime = 100 * time.Millisecond // without a request, before a server that ends closes
	drainTime = time.Second            // how long it waits for that at most, beyond Server.Delay
)

// drain is the end of a server. It answers on, and tells each client to open no further request on
// its connection (Connection: close; over HTTP/2, GOAWAY). Once no request has come for a moment,
// nothing is lost when idle connections are closed.
type drain struct {
	ending atomic.Bool
	last   atomic.Int64 // when the last request came, in nanoseconds since the Unix epoch
}

// count notes requests.
func (d *drain) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.last.Store(time.Now().UnixNano())
		next.ServeHTTP(w, r)
	})
}

// await begins the end and returns when connections can be closed: after the delay, once it has
// been quiet.
func (d *drain) await(delay time.Duration) {
	d.ending.Store(true)
	end := time.Now().Add(delay)
	time.Sleep(delay)
	for time.Since(end) < drainTime {
		quiet := time.Since(time.Unix(0, d.last.Load()))
		if quiet >= quietTime {
			return
		}
		time.Sleep(min(quietTime-quiet, drainTime-time.Since(end)))
	}
}

// close tells the client of an answer that its connection ends, if the server does.
func (d *drain) close(h http.Header) {
	if d.ending.Load() {
		h.Set("Connection", "close")
	}
}
