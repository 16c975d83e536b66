package learner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/model"
)

// warm reads the model that a network starts from: one of `fit --out`, or a checkpoint.
func (o *owner) warm(path string) (*model.Net, error) {
	state, err := ReadState(path)
	var missing *fs.PathError
	if errors.As(err, &missing) {
		return nil, fmt.Errorf("cannot open the model that %s starts from (learner.warm): %w", o.key, err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the model that %s starts from (learner.warm), %s: %w", o.key, path, err)
	}
	net := state.Net()
	if !sameConfig(net.Config(), o.config) {
		return nil, fmt.Errorf("the model that %s starts from (learner.warm), %s, was made with another configuration: %s; give its network these settings, or make the model with those of the network",
			o.key, path, differences(net.Config(), o.config))
	}
	return net, nil
}

// checkWarm says what is wrong with the model to start from, where it will be needed. Whoever
// starts the process reads that at once; a member of a group would only join again and again.
func (o *owner) checkWarm() error {
	path := o.cfg.Warm[o.key]
	if path == "" {
		return nil
	}
	if o.files != nil {
		if p, _ := o.files.read(); p.net != nil && sameConfig(p.net.Config(), o.config) {
			return nil // it goes on from its checkpoint
		}
	}
	_, err := o.warm(path)
	return err
}

// differences are the settings of a that b has otherwise, such as "table_bits is 18, here 20".
func differences(a, b model.Config) string {
	x, y := settings(a), settings(b)
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(x)) {
		if !reflect.DeepEqual(x[name], y[name]) {
			from, _ := json.Marshal(x[name]) // they came from JSON
			to, _ := json.Marshal(y[name])
			differ = append(differ, fmt.Sprintf("%s is %s, here %s", name, from, to))
		}
	}
	return strings.Join(differ, ", ")
}

// settings are a configuration's by name.
func settings(c model.Config) (s map[string]any) {
	b, err := json.Marshal(c)
	if err != nil || json.Unmarshal(b, &s) != nil {
		return nil
	}
	for name, v := range s {
		if list, ok := v.([]any); ok && len(list) == 0 {
			s[name] = nil // as sameConfig has it
		}
	}
	return s
}
