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

// Deadlines of every server.
const (
	headerTime   = 10 * time.Second // for a request's header
	idleTime     = 2 * time.Minute  // of a connection without a request
	shutdownTime = 3 * time.Second  // for calls when the server ends
)

// Serve has handler answer the calls on listener until ctx ends. Then GETs end at once, and other
// calls have three seconds before their connections are closed. Serve returns nil, or the error
// that ended the listener.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           endingGets(ctx, handler),
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
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
