package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Difference is a setting that two configurations have otherwise. Values are written as in JSON,
// but for texts, which stand without quotes; the value of an absent setting is empty.
type Difference struct {
	Name string `json:"name"` // as in the configuration file, with dots: linear.optimizer.rate
	From string `json:"from"`
	To   string `json:"to"`
}

// Differences lists the settings of c that other has otherwise, in the order of their names. An
// empty list equals an absent one. Without differences, both make the same network.
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
	if err != nil { // of numbers that Validate refuses: no infinity is text in JSON
		panic(fmt.Sprintf("BUG: a configuration that cannot be compared: %v", err))
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber() // a seed has more digits than a float64
	var sections map[string]any
	if err := decoder.Decode(&sections); err != nil {
		panic(fmt.Sprintf("BUG: cannot read what was just written: %v", err))
	}
	values := map[string]string{}
	flatten(values, "", sections)
	return values
}

func flatten(values map[string]string, prefix string, section map[string]any) {
	for name, value := range section {
		switch value := value.(type) {
		case map[string]any:
			flatten(values, prefix+name+".", value)
		case []any:
			if len(value) > 0 {
				text, _ := json.Marshal(value) // it came from JSON
				values[prefix+name] = string(text)
			}
		case nil:
		default:
			values[prefix+name] = fmt.Sprint(value)
		}
	}
}
