package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/field"
)

// Recorded is the objective of a recording that a configuration is loaded for.
type Recorded struct {
	Name      string // of the recording, for errors
	Objective event.Objective
	Shown     []string // columns that the trigger's event carries as what was shown
}

// LoadBeside is Load for a recording. The recording completes its objective in the file, and is the
// only objective of a file without any. It is an error when file and recording contradict each
// other.
func LoadBeside(path string, r Recorded) (Config, error) {
	return whole(load(path, r.complete))
}

// LoadBeside is Load for a recording, whose own file it reads when the flags name none.
func (c *Common) LoadBeside(file string, r Recorded) (Config, error) {
	return c.loadOver(file, r.complete)
}

// complete fills the gaps of c's objectives from the recording.
func (r Recorded) complete(c *Config) error {
	if err := r.checkShown(&c.Features); err != nil {
		return err
	}
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

// checkShown returns an error about a column that no feature would be made of.
func (r Recorded) checkShown(f *features.Config) error {
	for _, column := range r.Shown {
		if !slices.ContainsFunc(f.Shown, func(s features.ShownConfig) bool { return s.Reads(column) }) {
			return field.Wrong("features.shown", "reads no property %q, which recording %s shows: want {name: %s, serve: VALUE} among them", column, r.Name, column)
		}
	}
	return nil
}

// Objective returns the objective of a name, which c must have.
func (c *Config) Objective(name string) event.Objective {
	i := slices.IndexFunc(c.Objectives, func(o event.Objective) bool { return o.Name == name })
	return c.Objectives[i]
}
