package run

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// handler serves the stages' paths, health and metrics.
func (l *Loop) handler() http.Handler {
	mux := http.NewServeMux()
	for _, s := range l.stages {
		s.Register(mux, mux)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", l.handleReady)
	mux.Handle("GET /metrics", promhttp.HandlerFor(l.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "clickloop: POST /v1/events, POST /v1/score, GET /v1/model, GET /v1/evaluation, GET /readyz, GET /metrics")
	})
	return mux
}

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
	if l.capacity == nil {
		return
	}
	for _, warning := range l.capacity.warnings() {
		fmt.Fprintln(w, "warning: Redis: "+warning)
	}
}
