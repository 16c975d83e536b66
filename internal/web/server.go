package web

import (
	"context"
	"crypto/tls"
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
	answerTime   = 30 * time.Second // for the client to read its answer, and answerByte for each byte
	answerByte   = time.Second / (64 << 10)
	idleTime     = 2 * time.Minute // of a connection without a request
	shutdownTime = 3 * time.Second // for calls when the server ends, endingTime included
	headerBytes  = 32 << 10        // of a request: a browser sends all cookies of a site
)

// Server answers the calls of a port.
//
// A client may neither wait for ever nor hold much: see the limits above, conns and waiting. Each
// port has limits of its own, so that a public port that is full leaves the admin port reachable.
type Server struct {
	Port    Port
	Handler http.Handler
	TLS     *tls.Config // nil: plain HTTP
	Logger  *slog.Logger
	Metrics *Metrics // nil for none
}

// Serve answers the calls on l until ctx ends. Then GETs end at once, clients are asked to close
// their connections, and other calls have three seconds before theirs are closed: see ending. Serve
// returns nil, or the error that ended the listener. Over TLS it speaks HTTP/1.1 only: deadlines
// and limits are those of a connection.
func (s Server) Serve(ctx context.Context, l net.Listener) error {
	return newConns(s.Port, s.Metrics).serve(ctx, l, s)
}

func (s *conns) serve(ctx context.Context, l net.Listener, of Server) error {
	end := &ending{}
	server := &http.Server{
		Handler:           end.announce(receiving(endingGets(ctx, of.Handler))),
		TLSConfig:         of.TLS,
		Protocols:         new(http.Protocols),
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          slog.NewLogLogger(of.Logger.Handler(), slog.LevelDebug),
		ConnState:         s.note,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, rawOf(c))
		},
	}
	server.Protocols.SetHTTP1(true)
	serve := server.Serve
	if of.TLS != nil {
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := serve(listener{l, s}); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		end.begin(bounded, s.count)
		_ = server.Shutdown(bounded) // Close ends what it could not
		return server.Close()
	})
	return g.Wait()
}

// connKey is the key of a request's *conn in its context.
type connKey struct{}

// receiving bounds the time and the memory in which bodies come and answers go.
func receiving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := r.Context().Value(connKey{}).(*conn)
		if r.Body != http.NoBody {
			b := c.receive(r)
			defer b.end()
			r.Body = b
		}
		next.ServeHTTP(&outgoing{ResponseWriter: w, held: held{conn: c}}, r)
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
