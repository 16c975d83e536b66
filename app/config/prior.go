package config

import (
	"maps"
	"slices"

	"github.com/clickloop/clickloop/internal/field"
)

// settlePriors makes one prior a network of what the file gives: model.prior, networks.NAME.prior
// and scorer.prior are the rate of positives that is predicted until labels say otherwise, by a
// network and by a scorer that has no weights of it yet. A network's own one is the rule;
// scorer.prior stands for those that give none, and must not contradict the others. given says
// which settings the file has.
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
		if isRate(*prior) && *prior != general { // what is no rate is told of by itself
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

func isRate(p float64) bool { return p > 0 && p < 1 }

// Priors are what a scorer answers without weights, by objective: the prior of the network that it
// serves.
func (c *Config) Priors() map[string]float64 {
	priors := map[string]float64{}
	for _, o := range c.Objectives {
		name := o.Serve
		if name == "" {
			name = o.NetworkNames()[0]
		}
		m, ok := c.Networks[name]
		if !ok {
			m = c.Model
		}
		if priors[o.Name] = m.Prior; m.Output != "sigmoid" {
			priors[o.Name] = c.Scorer.Prior // such a network knows none
		}
	}
	return priors
}
