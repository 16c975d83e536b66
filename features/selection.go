package features

import "strings"

// selection says which fields of a context are taken.
type selection struct {
	all      bool
	names    map[string]bool
	prefixes []string
	drop     map[string]bool
	dropped  []string // prefixes
}

func newSelection(take, drop []string) selection {
	var s selection
	s.names, s.prefixes = splitPatterns(take)
	s.drop, s.dropped = splitPatterns(drop)
	s.all = len(take) == 0 || s.names["*"]
	return s
}

// splitPatterns tells names from prefixes: "geo.*" is the prefix "geo.".
func splitPatterns(patterns []string) (names map[string]bool, prefixes []string) {
	names = make(map[string]bool, len(patterns))
	for _, p := range patterns {
		if prefix, ok := strings.CutSuffix(p, ".*"); ok {
			prefixes = append(prefixes, prefix+".")
		} else {
			names[p] = true
		}
	}
	return names, prefixes
}

func (s *selection) takes(name string) bool {
	return (s.all || matches(s.names, s.prefixes, name)) && !s.drops(name)
}

func (s *selection) drops(name string) bool {
	return len(s.drop)+len(s.dropped) > 0 && matches(s.drop, s.dropped, name)
}

func matches(names map[string]bool, prefixes []string, name string) bool {
	if names[name] {
		return true
	}
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
