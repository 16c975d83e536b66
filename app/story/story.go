// Package story tells one prediction's way: what was asked, what was predicted and why, what
// happened, which labels came of it and which weights learned them. The command explain prints it,
// GET /v1/predictions/{id} serves it, and the dashboard draws it.
//
// A story is read from the topics alone, so it says what the loop has done and not what it would
// do. What can be told only approximately says so.
package story

import (
	"encoding/json"
	"time"

	"github.com/clickloop/clickloop/event"
)

// Story is all that followed from one prediction. docs/schemas/story.json describes its JSON.
type Story struct {
	ID         string      `json:"id"`
	Request    string      `json:"request"`
	Prediction *Prediction `json:"prediction"` // nil: it is nowhere, and Searched says where it was looked for
	Features   []Feature   `json:"features"`   // as used, in their order
	Others     []Other     `json:"others"`     // candidates of the request that were not chosen, best first
	Chosen     []string    `json:"chosen"`     // ids of the request's other predictions
	Events     []Event     `json:"events"`     // that name the prediction, in the order of their receipt
	Objectives []Objective `json:"objectives"`
	Letters    []Letter    `json:"dead_letters"`
	Searched   []Search    `json:"searched"`
	Notes      []string    `json:"notes"` // what could not be told, or only approximately
	Ms         float64     `json:"ms"`    // that finding and reading took
}

// Place is where a record stands.
type Place struct {
	Topic     string    `json:"topic"` // without prefix
	Partition int       `json:"partition"`
	Offset    int64     `json:"offset"`
	Written   time.Time `json:"written"` // the record's own time, of production
}

// Prediction is the message on the topic predictions, and what it says of the choice.
type Prediction struct {
	Place
	Message    json.RawMessage `json:"message"` // as it stands on the topic
	Time       event.Time      `json:"time"`
	User       string          `json:"user,omitempty"`
	Anonymous  string          `json:"anonymous,omitempty"`
	Ad         string          `json:"ad,omitempty"`
	Campaign   string          `json:"campaign,omitempty"`
	Policy     string          `json:"policy,omitempty"`
	Propensity float64         `json:"propensity,omitempty"`
	Value      string          `json:"value,omitempty"` // the expression by which candidates were ranked
	Score      *float64        `json:"score,omitempty"`
	NotChosen  int64           `json:"not_chosen"` // candidates, listed in Others or only counted
	Excluded   int64           `json:"excluded,omitempty"`
	// Repeats counts further records of the same id. The first one alone makes examples.
	Repeats int `json:"repeats,omitempty"`
}

// Feature is one named input of the network.
type Feature struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
	// Entity is the profile that the value comes from, such as user; empty for the context.
	Entity string `json:"entity,omitempty"`
	AgeMs  *int64 `json:"age_ms,omitempty"` // of that profile when it was used
}

// Other is a candidate that was not chosen.
type Other struct {
	Ad       string             `json:"ad,omitempty"`
	Campaign string             `json:"campaign,omitempty"`
	P        map[string]float64 `json:"p"`
	Score    *float64           `json:"score,omitempty"`
}

// Event is an event that names the prediction.
type Event struct {
	Place
	ID       string     `json:"id"`
	Type     string     `json:"type"`
	Name     string     `json:"name,omitempty"` // that an SDK gave it
	Time     event.Time `json:"time"`
	Received event.Time `json:"received"`
	AfterMs  int64      `json:"after_ms"` // from the prediction to the receipt
	Value    float64    `json:"value,omitempty"`
	// Verdicts say what the event was for each objective, in the order of Story.Objectives.
	Verdicts []Verdict `json:"verdicts"`
}

// Verdict says what an event was for an objective.
type Verdict struct {
	Objective string `json:"objective"`
	Counts    bool   `json:"counts"`
	// Role is trigger, positive, both, or empty for an event of which the label is not made.
	Role string `json:"role,omitempty"`
	Why  string `json:"why"`
}

// States of an objective's label.
const (
	Labelled  = "labelled"   // an example has the label
	Revised   = "revised"    // a later example has corrected it
	Waiting   = "waiting"    // its window has not ended
	Overdue   = "overdue"    // its window has ended, and no example is there yet
	NoTrigger = "no_trigger" // the trigger did not happen in the window: it is no example
)

// Objective is what one objective predicted, and what became of it.
type Objective struct {
	Name     string     `json:"name"`
	Trigger  string     `json:"trigger"`
	Positive string     `json:"positive"`
	WindowMs int64      `json:"window_ms"`
	P        *float64   `json:"p"`               // served; nil where no weights answered
	Model    string     `json:"model,omitempty"` // the version that answered
	Due      event.Time `json:"due,omitzero"`    // when the label is decided
	State    string     `json:"state"`
	Why      string     `json:"why"`   // of State, in words
	Label    *float64   `json:"label"` // the newest; nil without an example
	Examples []Example  `json:"examples"`
	Because  *Because   `json:"because"` // nil: no weights could be read, and Notes say why
}

// Example is a label of the prediction on the topic of examples.
type Example struct {
	Place
	Y        float64   `json:"y"`
	W        float64   `json:"w"`
	P        float64   `json:"p"`
	Revision bool      `json:"revision,omitempty"`
	Learned  []Learned `json:"learned"` // by network
}

// Learned says which weights were the first with an example in them.
type Learned struct {
	Network string `json:"network"`
	// Version is the first published version that holds the example; empty: none yet, or the topic
	// does not tell any more.
	Version string `json:"version,omitempty"`
	// Exact says that the version follows from offsets alone. Else examples that learners pass over
	// may have moved it: it is at most this one.
	Exact bool   `json:"exact"`
	Why   string `json:"why,omitempty"`
}

// Because says how a probability comes about, by the weights of Version: Base, Shifts and Rest sum
// up to Logit.
type Because struct {
	Version string `json:"version"` // of the weights that explain
	// Same says that these are the weights that answered. Else others explain, which have learned
	// more since, or less.
	Same        bool     `json:"same"`
	Source      string   `json:"source"`        // where the weights are from
	P           float64  `json:"p"`             // by these weights
	Raw         *float64 `json:"raw,omitempty"` // before calibration, where that differs
	Logit       float64  `json:"logit"`         // the network's own
	Base        float64  `json:"base"`          // the logit without any feature
	Shifts      []Shift  `json:"shifts"`        // the largest first
	Rest        float64  `json:"rest"`
	Calibration float64  `json:"calibration"` // what is added to Logit afterwards
}

// Shift is how far a feature has moved the logit.
type Shift struct {
	Feature string  `json:"feature"`
	By      float64 `json:"by"`
}

// Letter is a dead letter about the prediction or one of its records.
type Letter struct {
	Place
	Stage  string `json:"stage"`
	Reason string `json:"reason"`
	Of     Place  `json:"of"` // the record that could not be handled
}

// Search is a search of one topic.
type Search struct {
	Topic string `json:"topic"`
	// How is key (one partition), time (from a time on), index (a known place), or scan.
	How     string `json:"how"`
	Records int64  `json:"records"` // that were read
	Bytes   int64  `json:"bytes"`
	Found   int    `json:"found"`
	// Part says that not all of the topic was searched: the limit was reached, or retention has
	// deleted records.
	Part string `json:"part,omitempty"`
}
