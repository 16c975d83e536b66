package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// Limits of every server.
const (
	headerTime   = 10 * time.Second // for a request's header
	bodyTime     = 30 * time.Second // for its body
	answerTime   = 30 * time.Second // for the client to read its answer
	idleTime     = 2 * time.Minute  // of a connection without a request
	shutdownTime = 3 * time.Second  // for calls when the server ends
	headerBytes  = 32 << 10         // of a request: a browser sends all cookies of a site
)

// Serve has handler answer the calls on l until ctx ends. Then GETs end at once, and other
// calls have three seconds before their connections are closed. Serve returns nil, or the error
// that ended the listener.
//
// A client may neither wait for ever nor hold much: see the limits above, conns and waiting.
func Serve(ctx context.Context, l net.Listener, handler http.Handler, logger *slog.Logger) error {
	return newConns().serve(ctx, l, handler, logger)
}

func (s *conns) serve(ctx context.Context, l net.Listener, handler http.Handler, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           receiving(endingGets(ctx, handler)),
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		ConnState:         s.note,
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := server.Serve(listener{l, s}); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		_ = server.Shutdown(bounded) // Close ends what it could not
		return server.Close()
	})
	return g.Wait()
}

// connKey is the key of a request's *conn in its context.
type connKey struct{}

// receiving bounds the time and the memory in which bodies come.
func receiving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != http.NoBody {
			b := r.Context().Value(connKey{}).(*conn).receive(r)
			defer b.end()
			r.Body = b
		}
		next.ServeHTTP(w, r)
	})
}

// endingGets ends GETs when ctx does: one that waits for a version or a watermark would delay the
// end of the process.
func endingGets(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			inner, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			r = r.WithContext(inner)
		}
		next.ServeHTTP(w, r)
	})
}
