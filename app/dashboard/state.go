package dashboard

import (
	"encoding/json"
	"time"

	"github.com/clickloop/clickloop/event"
)

// State is what the page shows: the answer of GET /v1/dashboard and of each event of the stream.
type State struct {
	Now time.Time `json:"-"` // written first, as "now"
	Content
}

// Content is a state without its time. A member that is left out was not read yet.
type Content struct {
	Started  event.Time `json:"started"` // of this process
	Read     event.Time `json:"read,omitempty"`
	Version  string     `json:"version"`
	Clock    string     `json:"clock"`              // wall or recorded
	Recorded event.Time `json:"recorded,omitempty"` // the recorded clock, by the newest event
	Watching int        `json:"watching"`

	Objectives  []ObjectiveInfo   `json:"objectives"`
	Topics      []TopicInfo       `json:"topics"`
	Consumers   []ConsumerInfo    `json:"consumers"`
	Models      []ModelInfo       `json:"models"`
	Latency     []LatencyInfo     `json:"latency"`
	Guards      []GuardInfo       `json:"guards"`
	DeadLetters DeadLetterInfo    `json:"deadletters"`
	Evaluations []json.RawMessage `json:"evaluations"`
	Networks    []json.RawMessage `json:"networks"`
	Predictions []PredictionInfo  `json:"predictions"`
	Judged      []JudgedInfo      `json:"judged"`
	Drift       []DriftInfo       `json:"drift"`
	Bidding     *BiddingInfo      `json:"bidding"`
	Malformed   map[string]int64  `json:"malformed,omitempty"` // records passed over, by topic
	Problems    []string          `json:"problems"`
}

// ObjectiveInfo is an objective of the configuration.
type ObjectiveInfo struct {
	Name     string   `json:"name"`
	Trigger  string   `json:"trigger"`
	Positive string   `json:"positive"`
	WindowMs int64    `json:"window_ms"`
	Networks []string `json:"networks"`
	Serve    string   `json:"serve"`
}

// TopicInfo is how far a topic is written.
type TopicInfo struct {
	Topic      string   `json:"topic"`
	Records    int64    `json:"records"` // sum of the end offsets
	Kept       int64    `json:"kept"`    // of them, those that retention has left
	PerSecond  *float64 `json:"per_second,omitempty"`
	Partitions int      `json:"partitions"`
	// production of the newest record, and the event time in it: received, or the prediction's time
	Newest    event.Time `json:"newest,omitempty"`
	EventTime event.Time `json:"event_time,omitempty"`
	// age of the newest record: of its production, or in recorded time of its event time
	AgeSeconds *float64 `json:"age_seconds,omitempty"`
}

// ConsumerInfo is how far a consumer group has read a topic.
type ConsumerInfo struct {
	Group     string `json:"group"`
	Stage     string `json:"stage"`
	Topic     string `json:"topic"`
	Objective string `json:"objective,omitempty"`
	Network   string `json:"network,omitempty"`
	// records behind the end; left out before the group has committed anything
	Behind        *int64   `json:"behind,omitempty"`
	BehindSeconds *float64 `json:"behind_seconds,omitempty"`
	// the group stays behind by this window on purpose: labels wait until it has passed
	WindowMs int64 `json:"window_ms,omitempty"`
}

// ModelInfo is a network's newest weights.
type ModelInfo struct {
	Objective      string `json:"objective"`
	Network        string `json:"network"`
	Version        string `json:"version,omitempty"` // newest on the topic
	Served         string `json:"served,omitempty"`  // of the newest prediction, for the served network
	AgeMs          *int64 `json:"age_ms,omitempty"`
	BehindExamples *int64 `json:"behind_examples,omitempty"`
}

// LatencyInfo is a histogram of this process, over the last seconds.
type LatencyInfo struct {
	Stage     string   `json:"stage"`
	Name      string   `json:"name"`
	PerSecond float64  `json:"per_second"`
	P50       *float64 `json:"p50_ms,omitempty"`
	P99       *float64 `json:"p99_ms,omitempty"`
}

// GuardInfo is an objective's guard: the newest alarm that stands.
type GuardInfo struct {
	Objective string     `json:"objective"`
	Held      bool       `json:"held"` // labels wait for the band, or for a person
	Alarm     string     `json:"alarm"`
	Time      event.Time `json:"time,omitempty"`
}

// DeadLetterInfo counts dead letters by reason.
type DeadLetterInfo struct {
	Total   int64        `json:"total"`
	Read    int64        `json:"read"` // of them, counted by reason
	Reasons []ReasonInfo `json:"reasons"`
	Others  int64        `json:"others"` // with reasons beyond those that are listed
}

// ReasonInfo is a reason for dead letters, and the newest of them.
type ReasonInfo struct {
	Stage     string     `json:"stage"`
	Reason    string     `json:"reason"`
	Count     int64      `json:"count"`
	Newest    event.Time `json:"newest"`
	Topic     string     `json:"topic"`
	Partition int32      `json:"partition"`
	Offset    int64      `json:"offset"`
}

// PredictionInfo is one of the newest predictions.
type PredictionInfo struct {
	ID         string                 `json:"id"`
	Time       event.Time             `json:"time"`
	User       string                 `json:"user,omitempty"`
	Ad         string                 `json:"ad"`
	Campaign   string                 `json:"campaign,omitempty"`
	P          map[string]float64     `json:"p"`
	Model      map[string]string      `json:"model"`
	Policy     string                 `json:"policy,omitempty"`
	Propensity float64                `json:"propensity"`
	Outcomes   map[string]OutcomeInfo `json:"outcomes,omitempty"`
}

// OutcomeInfo is the label of a prediction, and when it was made.
type OutcomeInfo struct {
	Y       float64    `json:"y"`
	Time    event.Time `json:"time"`
	Revised bool       `json:"revised"`
}

// JudgedInfo is one of the newest examples.
type JudgedInfo struct {
	Objective string     `json:"objective"`
	ID        string     `json:"id"`
	Time      event.Time `json:"time"` // of the prediction
	Labelled  event.Time `json:"labelled"`
	P         float64    `json:"p"`
	Y         float64    `json:"y"`
	Model     string     `json:"model"`
	Revised   bool       `json:"revised"`
}

// DriftInfo compares a feature of the newest examples with those before.
type DriftInfo struct {
	Objective string  `json:"objective"`
	Feature   string  `json:"feature"`
	PSI       float64 `json:"psi"`
	// what two samples of one distribution exceed once in a hundred times
	Limit         float64 `json:"psi_limit"`
	Missing       float64 `json:"missing"`
	MissingBefore float64 `json:"missing_before"`
	Examples      int     `json:"examples"`
	Reference     int     `json:"reference"` // examples that these are compared with
}

// BiddingInfo is money, in units of the account's currency.
type BiddingInfo struct {
	Campaigns      []CampaignInfo `json:"campaigns"`
	Steps          int64          `json:"steps"`   // of bids, read
	Skipped        int64          `json:"skipped"` // passed over, since more came than are read
	SpentPerMinute []MinuteInfo   `json:"spent_per_minute"`
}

// CampaignInfo is a campaign's money and luck. Bids and wins are those of the steps that were read.
type CampaignInfo struct {
	ID        string   `json:"id"`
	Spent     float64  `json:"spent"`
	Budget    float64  `json:"budget,omitempty"` // in total; 0: no bound
	Daily     float64  `json:"daily,omitempty"`
	Reserved  float64  `json:"reserved"`
	Bids      int64    `json:"bids"`
	Wins      int64    `json:"wins"`
	WinRate   *float64 `json:"win_rate,omitempty"`
	Pacing    *float64 `json:"pacing,omitempty"` // share of the auctions in which it bids
	Estimated bool     `json:"estimated,omitempty"`
}

// MinuteInfo is what was spent in a minute.
type MinuteInfo struct {
	Start event.Time `json:"start"`
	Spent float64    `json:"spent"`
}
