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
	headerTime   = 10 * time.Second // until a request's header is read
	idleTime     = 2 * time.Minute  // for which a connection is kept without a request
	shutdownTime = 3 * time.Second  // that calls have when the server ends, before they are cut
)

// Serve answers calls on listener by handler until ctx ends. GETs end at once then, since they may
// wait for what does not come any more; other calls have three seconds. It returns when no call is
// under way, with the error that ended the listener, if one did.
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
		_ = server.Shutdown(bounded) // calls that do not end in time are cut
		return server.Close()
	})
	return g.Wait()
}

// endingGets ends calls that only ask when ctx does: one that waits for something would hold the
// end of the process up.
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
