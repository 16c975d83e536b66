package event

import (
	"strconv"
	"time"
)

// Objective is what is predicted: of the predictions whose trigger happened, which were followed by the positive event within the window.
type Objective struct {
	Name      string        `yaml:"name"`
	Trigger   string        `yaml:"trigger"`   // "prediction" (every prediction counts) or the type of the event that must have happened, such as impression
	Positive  string        `yaml:"positive"`  // type of the event that makes the label 1
	Window    time.Duration `yaml:"window"`    // from the prediction's time
	Revisions bool          `yaml:"revisions"` // a positive after its window writes a revision
	Segments  []string      `yaml:"segments"`  // features or fields that evaluations are split by
}

// TriggerPrediction is the Trigger of an objective in which every prediction becomes an example.
const TriggerPrediction = "prediction"

// PredictionID is the id of a request's candidate: the same request sent again gives the same ids, so that it changes nothing.
func PredictionID(request string, candidate int) string {
	return request + "." + strconv.Itoa(candidate)
}
