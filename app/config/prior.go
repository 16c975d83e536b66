package config

import (
	"maps"
	"slices"

	"github.com/clickloop/clickloop/internal/field"
)

// settlePriors gives each network one prior. The prior is the rate of positives that a fresh
// network predicts; a scorer answers it while it has no weights. model.prior and
// networks.NAME.prior set it. scorer.prior sets it for networks without their own, and must not
// contradict the others. given tells which settings the file has.
func (c *Config) settlePriors(given func(setting string) bool) error {
	general, isGiven := c.Scorer.Prior, given("scorer.prior")
	if !isGiven {
		c.Scorer.Prior = c.Model.Prior
		return nil
	}
	if !isRate(general) {
		return field.Wrong("scorer.prior", "is %v, want between 0 and 1", general)
	}
	settle := func(path string, prior *float64) error {
		if !given(path) {
			*prior = general
		}
		if isRate(*prior) && *prior != general { // Validate refuses a prior that is no rate
			return field.Wrong("scorer.prior", "is %v, and %s is %v: a scorer without weights and a fresh network answer the same, so leave scorer.prior out", general, path, *prior)
		}
		return nil
	}
	if err := settle("model.prior", &c.Model.Prior); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Networks)) {
		m := c.Networks[name]
		if err := settle("networks."+name+".prior", &m.Prior); err != nil {
			return err
		}
		c.Networks[name] = m
	}
	return nil
}

// isRate tells whether p is a rate that a network can predict: its logit is finite.
func isRate(p float64) bool { return p > 0 && p < 1 }

// Priors returns what a scorer answers without weights, by objective: the prior of the network that
// it serves.
func (c *Config) Priors() map[string]float64 {
	priors := map[string]float64{}
	for _, o := range c.Objectives {
		m, ok := c.Networks[o.ServedNetwork()]
		if !ok {
			m = c.Model
		}
		if priors[o.Name] = m.Prior; m.Output != "sigmoid" {
			priors[o.Name] = c.Scorer.Prior // other outputs have no prior
		}
	}
	return priors
}
