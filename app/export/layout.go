package export

import (
	"strings"

	"github.com/clickloop/clickloop/event"
)

// kind says which values a column, or a member of a message, may have.
type kind uint8

const (
	none    kind = iota // null
	text                // strings
	number              // numbers, as 64-bit floats
	integer             // whole numbers of at most 64 bits
	flag                // true and false
	moment              // strings with a time
	tree                // arrays and objects, kept as JSON

	// Of members alone: objects whose members become entries of a map, and columns of their own.
	facts    // values of any kind; nested objects are flattened
	numbers  // numbers only
	integers // whole numbers only
	texts    // strings only

	record // an object whose members are columns of the table, named by their path
)

// isMap says whether a member of this kind becomes a map.
func (k kind) isMap() bool { return k >= facts && k <= texts }

// of is the kind of a map's values. Those of facts have several.
func (k kind) of() kind {
	switch k {
	case numbers:
		return number
	case integers:
		return integer
	}
	return text
}

// member is a named member of a message. A dot in the name leads into a record.
type member struct {
	name string
	kind kind
}

// members of messages by the names of their schemas, in the order in which the codecs write them.
// A test compares them with docs/schemas.
var members = map[string][]member{
	event.SchemaEvent: {{"id", text}, {"type", text}, {"time", moment}, {"received", moment}, {"time_rule", text}, {"original_time", moment}, {"user", text}, {"anonymous", text},
		{"prediction", text}, {"token", text}, {"request", text}, {"ad", text}, {"campaign", text}, {"value", number}, {"channel", text}, {"context", facts}, {"properties", facts},
		{"source", text}, {"collector", text}, {"leaving", flag}},
	event.SchemaPrediction: {{"id", text}, {"request", text}, {"row", integer}, {"time", moment}, {"user", text}, {"anonymous", text}, {"ad", text}, {"campaign", text}, {"w", number},
		{"value", text}, {"score", number}, {"p", numbers}, {"model", texts}, {"propensity", number}, {"policy", text}, {"spread", number}, {"choice", text}, {"excluded", integer},
		{"cap", tree}, {"others", tree}, {"others_count", integer}, {"others_hash", text}, {"features", facts}, {"age_ms", integers}, {"source", text}},
	event.SchemaExample: {{"objective", text}, {"prediction", text}, {"row", integer}, {"time", moment}, {"y", number}, {"class", text}, {"w", number}, {"p", number}, {"model", text},
		{"propensity", number}, {"policy", text}, {"user_hash", integer}, {"features", facts}, {"segment", facts}, {"revision", flag}, {"source", record}, {"source.topic", text}, {"source.partition", integer}, {"source.offset", integer}},
	event.SchemaEvaluation: {{"objective", text}, {"window", text}, {"start", moment}, {"end", moment}, {"examples", integer}, {"positives", integer}, {"log_loss", number},
		{"normalized_entropy", number}, {"auc", number}, {"predicted_over_actual", number}, {"ece", number}, {"brier", number}, {"average_precision", number}, {"gauc", number}, {"users", integer},
		{"lift", number}, {"rank_error", number}, {"log_loss_interval", tree}, {"normalized_entropy_interval", tree}, {"auc_interval", tree}, {"predicted_over_actual_interval", tree},
		{"calibration", tree}, {"scores", tree}, {"weight", number}, {"predicted", number}, {"actual", number}, {"log_loss_sum", number}, {"segment", facts}, {"segments_left_out", integer}, {"model", text},
		{"alarm", text}, {"network", text}, {"versus", text}, {"offsets", tree}, {"difference", number}, {"difference_interval", tree}, {"better", text}},
	event.SchemaDeadLetter: {{"stage", text}, {"reason", text}, {"topic", text}, {"partition", integer}, {"offset", integer}, {"time", moment}, {"payload", text}, {"payload_base64", text}},
	event.SchemaItem:       {{"id", text}, {"campaign", text}, {"value", number}, {"fields", facts}, {"time", moment}},
	event.SchemaBid: {{"step", text}, {"bid", text}, {"campaign", text}, {"bidder", text}, {"time", moment}, {"epoch", integer}, {"seq", integer}, {"reserved", integer}, {"spent", integer},
		{"day", text}, {"request", text}, {"imp", text}, {"ad", text}, {"advertiser", text}, {"deal", text}, {"user", text}, {"price", integer}, {"value", integer}, {"floor", integer},
		{"p_win", number}, {"first_price", flag}, {"expires", moment}, {"market", facts}, {"cap_ms", integer}, {"paid", integer}, {"min_to_win", integer}, {"reason", integer},
		{"late", flag}, {"uncovered", integer}, {"overcap", flag}, {"allowance", integer}, {"budget_total", integer}, {"budget_daily", integer}, {"spent_total", integer}, {"spent_days", facts}},
	event.SchemaCampaign: {{"id", text}, {"name", text}, {"paused", flag}, {"advertiser", tree}, {"bundle", text}, {"start", moment}, {"end", moment}, {"budget", tree}, {"bid", tree},
		{"caps", tree}, {"targeting", tree}, {"creatives", tree}},
}

// eventTime is the member that says when a message's hour was, by schema. The others have none.
var eventTime = map[string]string{
	event.SchemaEvent: "time", event.SchemaPrediction: "time", event.SchemaExample: "time", event.SchemaEvaluation: "start", event.SchemaDeadLetter: "time",
	event.SchemaItem: "time", event.SchemaBid: "time",
}

// schemaOf returns the schema of a topic's messages, by its name without the prefix. It is empty
// for a topic that is none of the loop's.
func schemaOf(topic string) string {
	switch topic {
	case event.TopicEvents:
		return event.SchemaEvent
	case event.TopicPredictions:
		return event.SchemaPrediction
	case event.TopicEvaluations:
		return event.SchemaEvaluation
	case event.TopicDeadLetter:
		return event.SchemaDeadLetter
	case event.TopicBids:
		return event.SchemaBid
	case event.TopicCampaigns:
		return event.SchemaCampaign
	}
	for prefix, schema := range map[string]string{event.TopicExamples(""): event.SchemaExample, event.TopicCatalogue(""): event.SchemaItem, event.TopicModel(""): event.SchemaModel} {
		if strings.HasPrefix(topic, prefix) {
			return schema
		}
	}
	return ""
}

// layout is what is read of a topic's messages.
type layout struct {
	members []member
	index   map[string]int // of members, by name
	at      string         // member with the event time; empty: none
	binary  bool           // messages are bytes without a form
}

func layoutOf(topic string) *layout {
	schema := schemaOf(topic)
	l := &layout{members: members[schema], index: map[string]int{}, at: eventTime[schema], binary: schema == event.SchemaModel}
	for i, m := range l.members {
		l.index[m.name] = i
	}
	return l
}
