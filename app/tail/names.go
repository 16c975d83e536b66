package tail

import (
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/expression"
)

// What a filter may ask of a record beside its message: its place, time, key and headers.
const (
	groupRecord = "record"
	groupHeader = "header"
)

// topicNames lists the members of a topic's messages by what they hold.
type topicNames struct {
	texts, numbers, booleans, others, groups string // names, with a space between them
}

// names of each topic's messages. Topics of foreign programs, and those whose messages have free
// forms, are not listed: there any name is allowed.
var names = map[string]topicNames{
	event.TopicEvents: {
		texts:   "id type time received time_rule original_time user anonymous prediction token request ad campaign channel source collector",
		numbers: "value", booleans: "leaving", groups: "context properties",
	},
	event.TopicPredictions: {
		texts:   "id request time user anonymous ad campaign value policy choice others_hash source",
		numbers: "row w score propensity spread excluded others_count", others: "cap others", groups: "features age_ms p model",
	},
	event.TopicExamples(""): {
		texts:   "objective prediction time class model policy source.topic",
		numbers: "row y w p propensity user_hash source.partition source.offset", booleans: "revision", groups: "features segment",
	},
	event.TopicEvaluations: {
		texts: "objective window start end model alarm network versus better",
		numbers: "examples positives log_loss normalized_entropy auc predicted_over_actual ece brier average_precision gauc users lift rank_error " +
			"segments_left_out weight predicted actual log_loss_sum difference",
		others: "log_loss_interval normalized_entropy_interval auc_interval predicted_over_actual_interval difference_interval calibration scores offsets", groups: "segment",
	},
	event.TopicDeadLetter: {
		texts:   "stage reason topic time payload payload_base64",
		numbers: "partition offset",
	},
	event.TopicBids: {
		texts: "step bid campaign bidder time day request imp ad advertiser deal user expires",
		numbers: "epoch seq reserved spent price value floor p_win cap_ms paid min_to_win reason uncovered allowance " +
			"budget_total budget_daily spent_total",
		booleans: "first_price late overcap", groups: "market spent_days",
	},
	event.TopicCatalogue(""): {texts: "id campaign time", numbers: "value", groups: "fields"},
}

// outcomesGroup is the group of what --join has found of a prediction.
const outcomesGroup = "outcomes"

// namesOf returns what a filter of a topic may refer to. Without objectives, any may be asked for.
func namesOf(topic string, objectives []event.Objective, join bool) expression.Names {
	record := map[string]expression.Kind{
		"record.key": expression.Text, "record.partition": expression.Number, "record.offset": expression.Number, "record.time_ms": expression.Number,
	}
	all := expression.Names{Members: record, Fields: []string{groupHeader}, Holds: map[string]expression.Kind{groupHeader: expression.Text}}
	known, ok := names[topic]
	for _, many := range []string{event.TopicExamples(""), event.TopicCatalogue("")} {
		if strings.HasPrefix(topic, many) {
			known, ok = names[many]
		}
	}
	if !ok {
		all.Any = true
		return all
	}
	for kind, list := range map[expression.Kind]string{expression.Text: known.texts, expression.Number: known.numbers, expression.Boolean: known.booleans, expression.Anything: known.others} {
		for _, name := range strings.Fields(list) {
			all.Members[name] = kind
		}
	}
	all.Fields = append(all.Fields, strings.Fields(known.groups)...)
	if topic == event.TopicPredictions {
		all.Holds["p"], all.Holds["model"], all.Holds["age_ms"] = expression.Number, expression.Text, expression.Number
		if join {
			all.Fields = append(all.Fields, outcomesGroup)
		}
		all.Fields = withObjectives(all, objectives)
	}
	return all
}

// withObjectives makes p and model groups with a field for each objective, and of nothing else.
func withObjectives(all expression.Names, objectives []event.Objective) (fields []string) {
	if len(objectives) == 0 {
		return all.Fields
	}
	for _, o := range objectives {
		all.Members["p."+o.Name], all.Members["model."+o.Name] = expression.Number, expression.Text
	}
	for _, group := range all.Fields {
		if group != "p" && group != "model" {
			fields = append(fields, group)
		}
	}
	return fields
}
