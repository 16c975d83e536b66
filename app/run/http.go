package run

import (
	"context"
	"fmt"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/clickloop/clickloop/internal/web"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
)

// serve answers calls at both ports until ctx ends.
func (l *Loop) serve(ctx context.Context, p *ports) error {
	public, admin := l.muxes()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return web.Serve(ctx, p.public, public, l.logger) })
	g.Go(func() error { return web.Serve(ctx, p.admin, admin, l.logger) })
	return g.Wait()
}

// muxes serve the calls of clients, and those of administrators.
func (l *Loop) muxes() (public, admin *http.ServeMux) {
	public, admin = http.NewServeMux(), http.NewServeMux()
	for _, s := range l.stages {
		s.Register(public, admin)
	}
	l.registerPublic(public)
	l.registerAdmin(admin)
	return public, admin
}

// registerPublic adds the calls that every process answers to its clients. They name no address, no
// broker and no error.
func (l *Loop) registerPublic(public *http.ServeMux) {
	public.HandleFunc("GET /healthz", handleAlive)
	public.HandleFunc("GET /readyz", l.handleReady)
	public.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "clickloop: POST /v1/events, POST /v1/score, GET /readyz")
	})
}

// registerAdmin adds the calls that every process answers to its administrators. The profile
// "cmdline" is left out: arguments may hold passwords.
func (l *Loop) registerAdmin(admin *http.ServeMux) {
	admin.HandleFunc("GET /healthz", handleAlive)
	admin.HandleFunc("GET /readyz", l.handleReady)
	admin.Handle("GET /metrics", promhttp.HandlerFor(l.registry, promhttp.HandlerOpts{}))
	admin.HandleFunc("GET /debug/pprof/", pprof.Index)
	admin.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	admin.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	admin.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	admin.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "clickloop: GET /v1/model, GET /v1/evaluation, GET /v1/learner, GET /v1/clock, GET /readyz, GET /metrics, GET /debug/pprof/")
	})
}

func handleAlive(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }

// handleReady answers 503 with the reason while a dependency does not answer, else 200 with a line
// for each fault that does not stop the stages.
func (l *Loop) handleReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := l.Ready(ctx); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
	for _, warning := range l.capacity.warnings() {
		fmt.Fprintln(w, "warning: Redis: "+warning)
	}
}
