package run

import (
	"strings"

	"github.com/clickloop/clickloop/internal/access"
	"github.com/clickloop/clickloop/internal/field"
)

// served are the scopes of keys for the public calls of each stage.
var served = map[string]access.Scope{"ingest": access.Events, "scorer": access.Score, "bidder": access.Bid}

// checkExposure refuses ports that others reach and that ask for no key. Health alone needs none: a
// process that serves no events and no scores may listen anywhere.
func (l *Loop) checkExposure(o Options, p *ports) error {
	c := &o.Config
	if !isLoopback(p.admin) && !c.Access.Has(access.Admin) {
		return field.Wrong("admin", "is %s, which other machines may reach, and no key for admin is set: give a key (access.keys.NAME: {for: [admin], file: FILE}), or listen on loopback (127.0.0.1:8081)", c.Admin)
	}
	var open []string // scopes that are served to other machines without a key
	if !isLoopback(p.public) {
		for _, stage := range o.Stages {
			if scope, ok := served[stage]; ok && !c.Access.Has(scope) {
				open = append(open, string(scope))
			}
		}
	}
	what := strings.Join(open, " and ")
	switch {
	case len(open) > 0 && !c.InsecurePublic:
		return field.Wrong("http", "is %s, which other machines may reach, and no key for %s is set: give keys (access.keys.NAME: {for: [%s], file: FILE}), or listen on loopback (127.0.0.1:8080), or say by --insecure-public (insecure_public: true) that the port is open to everyone", c.HTTP, what, strings.Join(open, ", "))
	case len(open) > 0:
		l.logger.Warn("the public port is open to everyone who reaches it, as insecure_public says: no key is asked for", "address", c.HTTP, "for", what)
	case c.InsecurePublic && !isLoopback(p.public):
		l.logger.Warn("insecure_public opens nothing: all public calls of this process want a key, or are health", "address", c.HTTP)
	case c.InsecurePublic:
		l.logger.Info("insecure_public opens nothing: only this machine reaches the public port", "address", c.HTTP)
	}
	return nil
}
