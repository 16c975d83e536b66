package run

import (
	"context"
	"fmt"
	"net/http"
	"net/http/pprof"

	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/access"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
)

// front is what stands between the ports and the stages.
type front struct {
	gate         *access.Gate
	certificates certificates
	metrics      *web.Metrics
	readiness    readiness
	names        []string              // of the stages
	redis        *features.RedisClient // which readiness asks; nil when no stage has a store
	transport    http.RoundTripper     // of calls that this process makes to itself
	ending       <-chan struct{}       // closed when the process is to end
}

// serve answers calls at both ports until ctx ends. From then on the process is not ready.
func (l *Loop) serve(ctx context.Context, p *ports) error {
	l.ending = ctx.Done()
	public, admin := l.handlers()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return web.Server{Port: web.Public, Handler: public, TLS: l.certificates.public, HTTP2: l.cfg.HTTP2, Delay: l.cfg.ShutdownDelay, Logger: l.logger, Metrics: l.metrics}.Serve(ctx, p.public)
	})
	g.Go(func() error {
		return web.Server{Port: web.Admin, Handler: admin, TLS: l.certificates.admin, HTTP2: l.cfg.HTTP2, Delay: l.cfg.ShutdownDelay, Logger: l.logger, Metrics: l.metrics}.Serve(ctx, p.admin)
	})
	return g.Wait()
}

// handlers serve the calls of clients, and those of administrators. Stages ask for the keys of
// clients themselves, since a key may stand in a body.
func (l *Loop) handlers() (public, admin http.Handler) {
	publicOnly, adminOnly := l.muxes()
	all, allAdmin := l.muxes()
	all.HandleFunc("/", l.elsewhere(web.Public, publicOnly, adminOnly, "is a call of administrators: ask the admin port (the setting admin)"))
	allAdmin.HandleFunc("/", l.elsewhere(web.Admin, adminOnly, publicOnly, "is a public call: ask the public port (the setting http)"))
	keyed := l.cfg.Access.Has(access.Admin)
	outer := http.NewServeMux()
	outer.HandleFunc("GET /healthz", handleAlive) // tells nothing, so it wants no key
	l.open(outer, allAdmin)
	outer.Handle("/", l.gate.Admin(allAdmin))
	return all, newGuard(outer, keyed, l.metrics)
}

// elsewhere answers calls that a port does not have: it names the other port if that has the call,
// and else refuses as rest does, which is all that the port has.
func (l *Loop) elsewhere(port web.Port, rest, other *http.ServeMux, is string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := other.Handler(r); pattern == "" {
			rest.ServeHTTP(w, r)
			return
		}
		l.metrics.Refused(port, web.OtherPort)
		web.Refuse(w, http.StatusNotFound, "not_found", fmt.Errorf("%s %.100s %s", r.Method, r.URL.Path, is))
	}
}

// registrar has calls of clients and of administrators.
type registrar interface {
	Register(public, admin *http.ServeMux)
}

// muxes have the calls of clients, and those of administrators.
func (l *Loop) muxes() (public, admin *http.ServeMux) {
	public, admin = http.NewServeMux(), http.NewServeMux()
	for _, s := range l.stages {
		s.Register(public, admin)
	}
	for _, c := range l.calls {
		c.Register(public, admin)
	}
	l.registerPublic(public)
	l.registerAdmin(admin)
	return public, admin
}

// registerPublic adds the calls that every process answers to its clients. They name no address, no
// broker and no error.
func (l *Loop) registerPublic(public *http.ServeMux) {
	public.HandleFunc("GET /healthz", handleAlive)
	public.HandleFunc("GET /readyz", l.handlePublicReady)
	public.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "clickloop: POST /v1/events, POST /v1/score, GET /readyz")
	})
}

// registerAdmin adds the calls that every process answers to its administrators. The profile
// "cmdline" of pprof is left out: arguments may hold passwords.
func (l *Loop) registerAdmin(admin *http.ServeMux) {
	admin.HandleFunc("GET /healthz", handleAlive)
	admin.HandleFunc("GET /readyz", l.handleReady)
	admin.Handle("GET /metrics", promhttp.HandlerFor(l.registry, promhttp.HandlerOpts{}))
	admin.HandleFunc("GET /debug/pprof/", pprof.Index)
	admin.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	admin.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	admin.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	if l.shows() {
		return // the page stands at /
	}
	admin.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "clickloop: GET /v1/model, GET /v1/evaluation, GET /v1/learner, GET /v1/predictions/ID, GET /v1/clock, GET /readyz, GET /metrics, GET /debug/pprof/")
	})
}

func handleAlive(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }
