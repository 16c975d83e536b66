package run

import (
	"net/http"
	"slices"

	"github.com/clickloop/clickloop/app/dashboard"
	"github.com/clickloop/clickloop/features"
)

// dashboard makes what shows the loop. It reads topics with the process's client, and the latencies
// of the process's own metrics.
func (b *builder) dashboard(features.Store) (stage, error) {
	d := dashboard.Deps{
		Client: b.Client, Objectives: b.cfg.Objectives, Topics: b.cfg.Topics(), Bidding: b.cfg.Bidding.On(), Hold: b.cfg.Feedback.Guard.Hold,
		Gatherer: b.registry, Version: b.version, Logger: b.logger, Registerer: b.registry,
	}
	if b.takes != nil { // else the topics tell which times they have
		d.Recorded = b.clock.Recorded
	}
	if b.bids != nil {
		d.Standing = b.standing
	}
	return dashboard.New(b.cfg.Dashboard, d)
}

// standing is how campaigns do, as the bidder of this process has it in memory.
func (b *builder) standing() []dashboard.CampaignInfo {
	var all []dashboard.CampaignInfo
	for _, s := range b.bids.Standing() {
		c := dashboard.CampaignInfo{ID: s.Campaign, Spent: s.Spent, Budget: s.Budget.Total, Daily: s.Budget.Daily, Reserved: s.Reserved}
		if s.Pacing != nil {
			c.Pacing = &s.Pacing.Share
		}
		all = append(all, c)
	}
	return all
}

// Dashboard is the address of the dashboard's page, or empty where this process serves none.
func (l *Loop) Dashboard() string {
	switch {
	case !l.shows():
		return ""
	case l.cfg.AdminHTTPS.Enabled():
		return "https://" + l.Admin + "/"
	}
	return "http://" + l.Admin + "/"
}

// shows tells whether this process serves the dashboard.
func (l *Loop) shows() bool { return slices.Contains(l.names, Dashboard) }

// open lets the page of the dashboard past the check for keys: it holds no data, and asks its
// reader for the key.
func (l *Loop) open(mux *http.ServeMux, admin http.Handler) {
	if !l.shows() {
		return
	}
	for _, pattern := range dashboard.Open() {
		mux.Handle(pattern, admin)
	}
}
