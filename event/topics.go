package event

import "time"

// Names of topics, without the prefix.
const (
	TopicEvents      = "events"
	TopicPredictions = "predictions"
	TopicEvaluations = "evaluations"
	TopicDeadLetter  = "deadletter"
	TopicBids        = "bids"      // where there is bidding
	TopicCampaigns   = "campaigns" // likewise
)

// TopicExamples is the name of an objective's topic of examples.
func TopicExamples(objective string) string { return "examples." + objective }

// TopicCatalogue is the name of a catalogue's topic of items.
func TopicCatalogue(catalogue string) string { return "catalogue." + catalogue }

// TopicModel is the name of the topic of a network's weights, by its NetworkKey.
func TopicModel(key string) string { return "model." + key }

// Topic describes a topic that the loop creates.
type Topic struct {
	Name           string
	Partitions     int
	Retention      time.Duration
	RetentionBytes int64 // per partition; 0: no bound
	SegmentBytes   int64
	// records carry the time at which the broker appended them, not one of their producer
	AppendTime bool
	// bytes of a batch of our largest record: max.message.bytes must not be less
	NeedMessage int
	Busy        bool // each partition is written to all the time, by heartbeats
	Ordered     bool // the order of all records matters: only partition 0 is written and read
	Compacted   bool // the last record of each key is kept for ever
}

const (
	week = 7 * 24 * time.Hour
	// slack is added to the longest window to get the retention of predictions
	slack = 2 * 24 * time.Hour
)

// Bytes of records, with room for their headers. Predictions and examples are at most 20 KiB; a
// part of weights is 900 kB.
const (
	messageFraming = 2 << 10
	factsMessage   = 20<<10 + messageFraming
	weightsMessage = 900_000 + messageFraming
)

// ModelRetentionBytes is the retention of a new model topic. A learner whose snapshots need more
// raises it.
const ModelRetentionBytes = 512 << 20

// Topics are all topics of the loop. Events and predictions have the given number of partitions.
// Predictions are kept longer than the longest window. Examples stand in one partition, whose order
// is the order of learning. Weights have a retention by size: a learner writes a snapshot well
// before the deltas behind the last one could be deleted. A catalogue is compacted: the last record
// of an item is the item.
func Topics(objectives []Objective, partitions int, catalogues ...string) []Topic {
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
	for _, c := range catalogues {
		topics = append(topics, Topic{Name: TopicCatalogue(c), Partitions: 1, NeedMessage: factsMessage, Ordered: true, Compacted: true})
	}
	return topics
}

// BiddingTopics are the further topics of a loop that bids. The steps of bids stand in one
// partition, whose order is that in which they were written.
func BiddingTopics() []Topic {
	return []Topic{
		{Name: TopicBids, Partitions: 1, Retention: 4 * week, NeedMessage: factsMessage, Ordered: true},
		{Name: TopicCampaigns, Partitions: 1, NeedMessage: CampaignBytes + messageFraming, Ordered: true, Compacted: true},
	}
}

// CampaignBytes is the most bytes of a campaign as JSON.
const CampaignBytes = 256 << 10
