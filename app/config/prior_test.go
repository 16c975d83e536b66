package config

import (
	"maps"
	"strings"
	"testing"
)

// A fresh network and a scorer without weights answer one prior, whichever section gives it.
func TestOnePriorANetwork(t *testing.T) {
	const rare = "objectives:\n  - {name: click, trigger: impression, positive: click, window: 30m}\n" +
		"  - {name: sale, trigger: click, positive: conversion, window: 24h, networks: [rare]}\n"
	f := func(file string, model, scorer, rarePrior float64, priors map[string]float64) {
		t.Helper()
		c, err := Parse("c.yaml", []byte(file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			return
		}
		if c.Model.Prior != model || c.Scorer.Prior != scorer || c.Networks["rare"].Prior != rarePrior {
			t.Errorf("%s: model %v, scorer %v, rare %v", file, c.Model.Prior, c.Scorer.Prior, c.Networks["rare"].Prior)
		}
		if got := c.Priors(); !maps.Equal(got, priors) {
			t.Errorf("%s: scorers answer %v, want %v", file, got, priors)
		}
	}
	both := func(p float64) map[string]float64 { return map[string]float64{"click": p, "conversion": p} }
	f("", 0.01, 0.01, 0, both(0.01))
	f("model: {seed: 2}", 0.01, 0.01, 0, both(0.01))
	f("model: {prior: 0.2}", 0.2, 0.2, 0, both(0.2))
	f("scorer: {prior: 0.02}", 0.02, 0.02, 0, both(0.02))
	f("model: {prior: 0.02}\nscorer: {prior: 0.02}", 0.02, 0.02, 0, both(0.02))
	f(rare+"networks: {rare: {seed: 2}}", 0.01, 0.01, 0.01, map[string]float64{"click": 0.01, "sale": 0.01})
	f(rare+"networks: {rare: {prior: 0.001}}", 0.01, 0.01, 0.001, map[string]float64{"click": 0.01, "sale": 0.001})
	f(rare+"model: {prior: 0.1}\nnetworks: {rare: {seed: 2}}", 0.1, 0.1, 0.01, map[string]float64{"click": 0.1, "sale": 0.01})
	f(rare+"scorer: {prior: 0.02}\nnetworks: {rare: {seed: 2}}", 0.02, 0.02, 0.02, map[string]float64{"click": 0.02, "sale": 0.02})
	f(strings.Replace(rare, "[rare]", "[default, rare], serve: rare", 1)+"networks: {rare: {prior: 0.001}}", 0.01, 0.01, 0.001,
		map[string]float64{"click": 0.01, "sale": 0.001})
}

func TestPriorsThatContradictAreRefusedWithTheirLine(t *testing.T) {
	f := func(file string, wants ...string) {
		t.Helper()
		_, err := Parse("c.yaml", []byte(file))
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", file, err, want)
			}
		}
	}
	f("model: {prior: 0.5}\nscorer: {prior: 0.01}", "c.yaml:2", "scorer.prior", "is 0.01, and model.prior is 0.5")
	f("scorer: {prior: 0.02}\nnetworks: {rare: {prior: 0.001}}", "c.yaml:1", "networks.rare.prior is 0.001")
	f("model: {prior: 0}", "model", "prior is 0")
	f("model: {prior: 1}", "prior is 1")
	f("scorer: {prior: 0}", "c.yaml:1", "scorer.prior is 0")
	f("scorer: {prior: 1.5}", "c.yaml:1", "scorer.prior is 1.5")
	f("networks: {rare: {prior: -1}}", "networks.rare", "prior is -1")
}
