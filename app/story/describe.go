package story

import (
	"strings"

	"github.com/clickloop/clickloop/event"
)

// describe tells what the message says of the choice, and of the features that were used.
func (s *search) describe() {
	m, p := &s.own, s.story.Prediction
	p.Time, p.User, p.Anonymous, p.Ad, p.Campaign = m.Time, m.User, m.Anonymous, m.Ad, m.Campaign
	p.Policy, p.Propensity, p.Value, p.Excluded = m.Policy, m.Propensity, m.Value, m.Excluded
	if m.Value != "" || m.Score != 0 {
		p.Score = &m.Score
	}
	if m.Request != "" {
		s.story.Request = m.Request
	}
	p.NotChosen = max(int64(len(m.Others)), m.OthersCount)
	if m.OthersCount > 0 {
		s.note("%d candidates were not chosen: too many for the message, which has only their number and hash", m.OthersCount)
	}
	for i := range m.Others {
		o := Other{Ad: m.Others[i].Ad, Campaign: m.Others[i].Campaign, P: map[string]float64{}}
		for _, op := range m.Others[i].P {
			o.P[op.Objective] = op.P
		}
		if p.Score != nil {
			o.Score = &m.Others[i].Score
		}
		s.story.Others = append(s.story.Others, o)
	}
	for i := range m.Features {
		f := &m.Features[i]
		told := Feature{Name: f.Name, Value: f.Value.AppendJSON(nil)}
		for j := range m.AgeMs {
			if a := &m.AgeMs[j]; strings.HasPrefix(f.Name, a.Name+".") && len(a.Name) > len(told.Entity) {
				told.Entity, told.AgeMs = a.Name, &a.Ms
			}
		}
		s.story.Features = append(s.story.Features, told)
	}
}

// probability is what was served for an objective.
func probability(p *event.Prediction, objective string) *float64 {
	for i := range p.P {
		if p.P[i].Objective == objective {
			return &p.P[i].P
		}
	}
	return nil
}

// version is the version of the weights that answered for an objective.
func version(p *event.Prediction, objective string) string {
	for i := range p.Model {
		if p.Model[i].Objective == objective {
			return p.Model[i].Version
		}
	}
	return ""
}
