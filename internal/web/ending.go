package web

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/internal/retry"
)

// ending lets a server end without losing a request. A connection that is closed while its client
// sends loses what the client has sent, and a client that keeps connections may send at any moment.
// So from the server's end on every answer asks its client to close the connection, and connections
// are closed by the server only when no request comes any more.
type ending struct {
	begun    atomic.Bool
	requests atomic.Int64 // since then
}

const (
	quietTime  = 50 * time.Millisecond // without a request: clients have gone, or are idle
	endingTime = time.Second           // after which a server ends although requests come
)

// announce asks the clients of next to close their connections once the end has begun.
func (e *ending) announce(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e.begun.Load() {
			e.requests.Add(1)
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// begin returns when no request has come for quietTime, after endingTime at the latest, and at once
// when open says that there is no connection.
func (e *ending) begin(ctx context.Context, open func() int) {
	e.begun.Store(true)
	ctx, cancel := context.WithTimeout(ctx, endingTime)
	defer cancel()
	for before := int64(-1); before != e.requests.Load(); {
		if before < 0 && open() == 0 {
			return
		}
		before = e.requests.Load()
		if !retry.Sleep(ctx, quietTime) {
			return
		}
	}
}

// count returns how many connections are open.
func (s *conns) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}
