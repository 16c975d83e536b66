package ingest

import (
	"net/http"
	"slices"
)

// allow lets a website's script read the answer. The origin is echoed, since SDKs that send
// credentials are refused a "*"; Retry-After is exposed, or scripts cannot see it.
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

// handlePreflight answers OPTIONS. The headers that SDKs send are listed by name, since "*" does
// not cover Authorization.
func (c *collector) handlePreflight(w http.ResponseWriter, r *http.Request) {
	if c.allow(w, r) {
		h := w.Header()
		h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Retry-Count, AnonymousId, SentAt, X-Write-Key, SP-Anonymous")
		h.Set("Access-Control-Max-Age", "3600")
	}
	w.WriteHeader(http.StatusNoContent)
}
