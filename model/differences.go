package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Difference is a setting whose values differ between two configurations. Values are written as in
// JSON, but texts without quotes; the value of an absent setting is empty.
type Difference struct {
	Name string `json:"name"` // as in the configuration file, with dots: linear.optimizer.rate
	From string `json:"from"`
	To   string `json:"to"`
}

// Differences lists the settings whose values differ between c and other, sorted by name. An empty
// list equals an absent one. Configurations without differences make the same network.
func (c Config) Differences(other Config) []Difference {
	from, to := c.settings(), other.settings()
	names := maps.Clone(from)
	maps.Copy(names, to)
	var found []Difference
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if from[name] != to[name] {
			found = append(found, Difference{name, from[name], to[name]})
		}
	}
	return found
}

// settings returns the values of c by their names with dots.
func (c Config) settings() map[string]string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("BUG: Validate has let through an infinite setting: %v", err))
	}
	values := map[string]string{}
	flatten(values, "", b)
	return values
}

// flatten adds the values in a piece of JSON, whose text is compared: a seed may have more digits
// than a float64.
func flatten(values map[string]string, name string, piece json.RawMessage) {
	var section map[string]json.RawMessage
	if json.Unmarshal(piece, &section) != nil {
		if text := strings.Trim(string(piece), `"`); text != "[]" {
			values[name] = text
		}
		return
	}
	for inner, piece := range section { // none in null
		flatten(values, strings.TrimPrefix(name+"."+inner, "."), piece)
	}
}
