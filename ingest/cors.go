package ingest

import (
	"net/http"
	"slices"
)

// allow lets the script of a website read the answer. The origin is echoed, because browsers refuse
// "*" to SDKs that send credentials. Retry-After is exposed, or scripts cannot see it.
func (c *collector) allow(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || !slices.Contains(c.cfg.CORSOrigins, "*") && !slices.Contains(c.cfg.CORSOrigins, origin) {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", "Retry-After")
	h.Add("Vary", "Origin")
	return true
}

// handlePreflight answers OPTIONS. It lists the headers of SDKs by name, since "*" does not cover
// Authorization.
func (c *collector) handlePreflight(w http.ResponseWriter, r *http.Request) {
	if c.allow(w, r) {
		h := w.Header()
		h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Retry-Count, AnonymousId, SentAt, X-Write-Key, SP-Anonymous")
		h.Set("Access-Control-Max-Age", "3600")
	}
	w.WriteHeader(http.StatusNoContent)
}
