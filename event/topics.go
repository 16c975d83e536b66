package event

import "time"

// Names of topics, without the prefix.
const (
	TopicEvents      = "events"
	TopicPredictions = "predictions"
	TopicEvaluations = "evaluations"
	TopicDeadLetter  = "deadletter"
)

// TopicExamples is the name of an objective's topic of examples.
func TopicExamples(objective string) string { return "examples." + objective }

// TopicModel is the name of the topic of a network's weights, by its NetworkKey.
func TopicModel(key string) string { return "model." + key }

// Topic is how a topic is made.
type Topic struct {
	Name           string
	Partitions     int
	Retention      time.Duration
	RetentionBytes int64 // per partition; 0: no bound
	SegmentBytes   int64
	// records carry the time at which the broker took them, not one that their producer says
	AppendTime bool
	// bytes of the largest batch that one record of ours makes: max.message.bytes must not be less
	NeedMessage int
	Busy        bool // each partition is written to all the time, by heartbeats
	Ordered     bool // its order matters as a whole: partition 0 alone is written and read
}

const (
	week = 7 * 24 * time.Hour
	// slack is how much longer than the longest window predictions are kept.
	slack = 2 * 24 * time.Hour
)

// Bytes of records with room for their headers: predictions and examples are at most 20 KiB; a part
// of weights is 900 kB.
const (
	messageFraming = 2 << 10
	factsMessage   = 20<<10 + messageFraming
	weightsMessage = 900_000 + messageFraming
)

// ModelRetentionBytes is what a model topic is made to keep. A learner whose snapshots need more
// raises it.
const ModelRetentionBytes = 512 << 20

// Topics are all topics of the loop. partitions is the number of those of events and predictions.
// Predictions outlive the longest window; examples stand in one partition, since its order is the
// order of learning; weights are bounded by size, and a learner writes a snapshot well before what
// follows the last one could be deleted.
func Topics(objectives []Objective, partitions int) []Topic {
	longest := LongestWindow(objectives)
	topics := []Topic{
		{Name: TopicEvents, Partitions: partitions, Retention: max(week, longest+slack), AppendTime: true, NeedMessage: EventLimits.Bytes + messageFraming, Busy: true},
		{Name: TopicPredictions, Partitions: partitions, Retention: max(week, longest+slack), NeedMessage: factsMessage},
		{Name: TopicEvaluations, Partitions: 1, Retention: 4 * week, NeedMessage: factsMessage, Ordered: true},
		{Name: TopicDeadLetter, Partitions: 1, Retention: 4 * week},
	}
	for _, o := range objectives {
		topics = append(topics, Topic{Name: TopicExamples(o.Name), Partitions: 1, Retention: 4 * week, NeedMessage: factsMessage, Ordered: true})
		for _, network := range o.NetworkNames() {
			topics = append(topics, Topic{Name: TopicModel(NetworkKey(o.Name, network)), Partitions: 1, Retention: week, RetentionBytes: ModelRetentionBytes, SegmentBytes: 64 << 20,
				NeedMessage: weightsMessage, Ordered: true})
		}
	}
	return topics
}
