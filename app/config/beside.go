package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
)

// Recorded is a recording's objective, beside which a configuration is loaded.
type Recorded struct {
	Name      string // of the recording, for errors
	Objective event.Objective
}

// LoadBeside is Load for a configuration beside a recording: what the file leaves out of the
// recording's objective is as the recording says, and without any objectives that one is all there
// are. What contradicts the recording is an error.
func LoadBeside(path string, r Recorded) (Config, error) {
	c, _, err := load(path, r.complete)
	return c, err
}

// LoadBeside is LoadOver beside a recording.
func (c *Common) LoadBeside(file string, r Recorded) (Config, error) {
	return c.loadOver(file, r.complete)
}

// complete lays the recording's objective under those of c.
func (r Recorded) complete(c *Config) error {
	if len(c.Objectives) == 0 {
		c.Objectives = []event.Objective{r.Objective}
		return nil
	}
	i := slices.IndexFunc(c.Objectives, func(o event.Objective) bool { return o.Name == r.Objective.Name })
	if i < 0 {
		var names []string
		for _, o := range c.Objectives {
			names = append(names, o.Name)
		}
		return field.Wrong("objectives", "has %s, and recording %s is about %s: name that among them, or leave objectives out", strings.Join(names, ", "), r.Name, r.Objective.Name)
	}
	given, recorded := reflect.ValueOf(&c.Objectives[i]).Elem(), reflect.ValueOf(r.Objective)
	for j := range given.NumField() {
		name, has := given.Type().Field(j).Tag.Get("yaml"), recorded.Field(j)
		switch is := given.Field(j); {
		case is.IsZero():
			is.Set(has)
		case !has.IsZero() && !reflect.DeepEqual(is.Interface(), has.Interface()):
			return field.Wrong(fmt.Sprintf("objectives[%d].%s", i, name), "is %v, and recording %s says %v: leave it out here, or correct one of them", is.Interface(), r.Name, has.Interface())
		}
	}
	return nil
}

// Objective is the objective of that name.
func (c *Config) Objective(name string) event.Objective {
	i := slices.IndexFunc(c.Objectives, func(o event.Objective) bool { return o.Name == name })
	return c.Objectives[i]
}
