package event

import (
	"strconv"
	"strings"
	"time"
)

// Objective is what is predicted: of the predictions whose trigger happened, those that were
// followed by the positive event within the window. Package objective makes labels of it.
type Objective struct {
	Name string `yaml:"name"`
	// "prediction" (every prediction counts) or the type of the event that must have happened, such
	// as impression
	Trigger   string        `yaml:"trigger"`
	Positive  string        `yaml:"positive"`  // type of the event that makes the label 1
	Window    time.Duration `yaml:"window"`    // from the prediction's time
	Revisions bool          `yaml:"revisions"` // a positive after its window writes a revision
	Segments  []string      `yaml:"segments"`  // features or fields that evaluations are split by
	// names of the networks that learn the objective; empty: the default one alone
	Networks []string `yaml:"networks"`
	// the network that scorers answer with; empty: the first
	Serve string `yaml:"serve"`
}

// LongestWindow is the longest window of objectives.
func LongestWindow(objectives []Objective) time.Duration {
	longest := time.Duration(0)
	for _, o := range objectives {
		longest = max(longest, o.Window)
	}
	return longest
}

// DefaultNetwork is the network that the configuration's section model describes. Its topic and
// checkpoints are named by the objective alone.
const DefaultNetwork = "default"

// NetworkNames are the names of the objective's networks, at least one.
func (o *Objective) NetworkNames() []string {
	if len(o.Networks) == 0 {
		return []string{DefaultNetwork}
	}
	return o.Networks
}

// Served is the NetworkKey of the network that scorers answer with.
func (o *Objective) Served() string { return NetworkKey(o.Name, o.ServedNetwork()) }

// ServedNetwork is the name of the network that scorers answer with.
func (o *Objective) ServedNetwork() string {
	if o.Serve != "" {
		return o.Serve
	}
	return o.NetworkNames()[0]
}

// NetworkKey names a network of an objective in topics, versions, groups, metrics and files:
// "click" is the default network, "click.plain" the one of name plain.
func NetworkKey(objective, network string) string {
	if network == "" || network == DefaultNetwork {
		return objective
	}
	return objective + "." + network
}

// KeyObjective is the objective of a NetworkKey. Names of objectives have no dot.
func KeyObjective(key string) string {
	objective, _, _ := strings.Cut(key, ".")
	return objective
}

// TriggerPrediction is the Trigger of an objective in which every prediction becomes an example.
const TriggerPrediction = "prediction"

// PredictionID is the id of the prediction of a request's candidate. A request that is sent again
// gives the same ids, so that it changes nothing.
func PredictionID(request string, candidate int) string {
	return request + "." + strconv.Itoa(candidate)
}
