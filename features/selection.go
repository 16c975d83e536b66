package features

import (
	"slices"
	"strings"
)

// selection says which fields of a context become features.
type selection struct {
	all  bool
	take patterns
	drop patterns
}

func newSelection(take, drop []string) selection {
	s := selection{take: newPatterns(take), drop: newPatterns(drop)}
	s.all = len(take) == 0 || s.take.names["*"]
	return s
}

func (s *selection) takes(name string) bool {
	return (s.all || s.take.match(name)) && !s.drops(name)
}

func (s *selection) drops(name string) bool { return s.drop.match(name) }

// patterns are names of fields, and what names begin with: "geo.*" is the prefix "geo.".
type patterns struct {
	names    map[string]bool
	prefixes []string
}

func newPatterns(texts []string) patterns {
	p := patterns{names: make(map[string]bool, len(texts))}
	for _, text := range texts {
		if prefix, ok := strings.CutSuffix(text, ".*"); ok {
			p.prefixes = append(p.prefixes, prefix+".")
		} else {
			p.names[text] = true
		}
	}
	return p
}

func (p *patterns) match(name string) bool {
	return len(p.names) > 0 && p.names[name] ||
		slices.ContainsFunc(p.prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
