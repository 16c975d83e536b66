// Package event holds the messages of the topics, Event, Prediction, Example, Evaluation and
// DeadLetter, with their codecs, their limits and the rules by which they are valid.
//
// A message is one line of JSON. What AppendJSON writes, UnmarshalJSON reads back to the same
// values, facts in the same order.
package event

// Time is a moment in milliseconds since 1970-01-01 UTC. In JSON it is RFC 3339 in UTC with three
// decimals. The zero Time means that none is given, and is left out of JSON.
type Time int64

// Types of events that the loop knows. Events of other types pass through, and features can count
// them.
const (
	TypeImpression = "impression"
	TypeClick      = "click"
	TypeConversion = "conversion"
	TypePage       = "page"
	TypeTrack      = "track"
	TypeScreen     = "screen"
	TypeIdentify   = "identify"
	// Types that the notices of a bidder become, beside impression and click.
	TypeWin     = "win"
	TypeBilling = "billing"
	TypeLoss    = "loss"
	// TypeHeartbeat carries the clock of a collector into every partition of events. No user caused
	// it, and it is not counted as an event.
	TypeHeartbeat = "heartbeat"
)

// Event is something that a user or an ad system did (topic events, key: User or Anonymous).
type Event struct {
	ID       string
	Type     string
	Time     Time // when it happened
	Received Time // when the collector accepted it: the time that decides labels
	// TimeRule is the rule that set Time, and is empty where the client did. OriginalTime is then
	// the time that the client gave, if any.
	TimeRule     string
	OriginalTime Time
	User         string
	Anonymous    string
	Prediction   string
	Token        string // of the scorer's answer: proof that the sender got it (package signing)
	Request      string
	Ad           string
	Campaign     string
	Value        float64 // money, in units of the currency; profiles keep it in micro-units
	Channel      string
	Context      Fields
	Properties   Fields
	Source       string // the site or app that sent it
	// Collector names the process that wrote a heartbeat. Leaving marks its last heartbeat.
	Collector string
	Leaving   bool
}

// Name is the name that an SDK gave the event beside its type: the property "event" of a track call
// (also of one that became an impression, a click or a conversion), or the property "name" of a
// page or a screen. A name that is a type counts as none: a page that is called click is no click.
func (e *Event) Name() string {
	property := "event"
	switch e.Type {
	case TypePage, TypeScreen:
		property = "name"
	case TypeTrack, TypeImpression, TypeClick, TypeConversion:
	default:
		return ""
	}
	v, _ := e.Properties.Lookup(property)
	if KnownType(v.Str) {
		return ""
	}
	return v.Str
}

// KnownType says whether s is a type that the loop or Segment's form gives to events.
func KnownType(s string) bool {
	switch s {
	case TypeImpression, TypeClick, TypeConversion, TypePage, TypeTrack, TypeIdentify, TypeScreen, TypeHeartbeat, "group", "alias":
		return true
	}
	return false
}

// Prediction is one scored candidate that was chosen (topic predictions, key: ID).
type Prediction struct {
	ID      string
	Request string
	// number of the recorded row, from 1; 0 and left out when the request was not recorded
	Row       int64
	Time      Time
	User      string
	Anonymous string
	Ad        string
	Campaign  string
	W         *float64 // weight that its examples have; nil: 1
	// Value is the expression of which Score is the result, and by which the candidates of the
	// request were ranked. Without it they were ranked by another rule, and a score is told only
	// where the policy chooses at random.
	Value      string
	Score      float64
	P          []ObjectiveP       // "p": {"click": 0.0123}, in the order of the configuration
	Model      []ObjectiveVersion // "model": {"click": "click@184203"}
	Propensity float64
	Policy     string  // with its parameter, such as epsilon:0.05
	Spread     float64 // how uncertain the score is, where the policy goes by that
	// fingerprint of the request and of the chosen candidates: one request has one choice
	Choice string
	// how many candidates of the request were excluded, and how many of a kind could be chosen
	Excluded int64
	Caps     []Cap
	Others   []Other // candidates that were not chosen, best first
	// OthersCount and OthersHash stand for Others where these are too many to be listed. The hash
	// is of their ads and campaigns, in any order.
	OthersCount int64
	OthersHash  string
	// the raw values that were used, in the order in which they were encoded
	Features Fields
	AgeMs    []Age // "age_ms": {"user": 340, "model": 120}
	Source   string
}

// Other is a candidate that was not chosen.
type Other struct {
	Ad       string
	Campaign string
	P        []ObjectiveP
	// its place among the request's candidates, where the policy chooses at random
	Index         int64
	Score, Spread float64 // as those of the prediction
}

// Cap says how many of the chosen candidates could have the same value of a field.
type Cap struct {
	Field string
	Most  int64
}

// Weight is the weight that the prediction's examples have.
func (p *Prediction) Weight() float64 {
	if p.W == nil {
		return 1
	}
	return *p.W
}

// ObjectiveP is a probability for one objective.
type ObjectiveP struct {
	Objective string
	P         float64
}

// ObjectiveVersion is the model version that answered for one objective, such as "click@184203".
type ObjectiveVersion struct {
	Objective string
	Version   string
}

// Age is the age of an input when it was used, in milliseconds.
type Age struct {
	Name string
	Ms   int64
}

// Example is a prediction with its label and weight (topic examples.<objective>, key: Prediction).
type Example struct {
	Objective  string
	Prediction string
	Row        int64
	Time       Time // of the prediction
	Y          float64
	Class      string // label by name, for an objective with several classes
	W          float64
	P          float64 // as served
	Model      string
	Propensity float64 // of the prediction
	Policy     string
	UserHash   int64 // tells users apart and does not name them, below 2^53; 0: unknown
	Features   Fields
	Segment    Fields // by which evaluations are split: campaign, source, ...
	Revision   bool   // it corrects an earlier example of the same prediction
	Source     Source
}

// Source is the place of a prediction in its topic. The examples of one partition carry rising
// offsets, except for revisions.
type Source struct {
	// the first 8 hexadecimal digits of the id of the predictions topic: a topic that was deleted
	// and created again has another id
	Topic     string
	Partition int32
	Offset    int64
}

// DeadLetter is a record that can never succeed (topic deadletter, key: that of the record).
type DeadLetter struct {
	Stage     string // ingest, learner, scorer, feedback
	Reason    string
	Topic     string
	Partition int32
	Offset    int64
	Time      Time
	// the original bytes; as a JSON string when they are UTF-8, else as "payload_base64"
	Payload []byte
}
