package run

import (
	"slices"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/dashboard"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// Analyst is who reads every topic and changes nothing: the commands tail, report, model and
// doctor.
const Analyst = "analyst"

// needs collects what a stage does in Kafka.
type needs []stream.Need

// topic adds a topic. Every stage checks the settings of the topics that it uses.
func (n *needs) topic(name string, operations ...string) {
	*n = append(*n, stream.Need{Name: name, Operations: append(operations, stream.OpDescribeConfigs)})
}

func (n *needs) group(name string) {
	*n = append(*n, stream.Need{Group: true, Name: name, Operations: []string{stream.OpRead}})
}

// Needs returns what a stage, Dashboard or Analyst does in Kafka with these settings: all of it,
// and nothing else. It returns nil for any other name.
func Needs(stage string, c *config.Config) []stream.Need {
	const read, write = stream.OpRead, stream.OpWrite
	var n needs
	switch stage {
	case "ingest":
		n.topic(event.TopicEvents, read, write)
		n.topic(event.TopicDeadLetter, write)
		n.group("profiles")
	case "scorer":
		n.topic(event.TopicEvents, stream.OpDescribe) // as far as profiles are folded
		n.topic(event.TopicPredictions, read, write)  // it restores what it remembers of them
		eachNetwork(c, func(key string) { n.topic(event.TopicModel(key), read) })
		for _, name := range c.Scorer.Items.Catalogues {
			n.topic(event.TopicCatalogue(name), read, write)
		}
	case Bidder:
		if !c.Bidding.On() {
			return nil
		}
		n = Needs("scorer", c) // it calls the scorer's engine in process
		n.topic(event.TopicBids, read, write)
		n.topic(event.TopicCampaigns, read, write)
		n.topic(event.TopicEvents, write) // notices
		for _, o := range c.Objectives {
			n.topic(event.TopicExamples(o.Name), read) // strategies hold what they pay to what it brings
		}
	case "feedback":
		n.topic(event.TopicEvents, read)
		n.topic(event.TopicPredictions, read)
		n.topic(event.TopicEvaluations, read, write)
		n.topic(event.TopicDeadLetter, write)
		n.group("outcomes")
		for _, o := range c.Objectives {
			n.topic(event.TopicExamples(o.Name), read, write)
			n.group("labels." + o.Name)
			n.group("revisions." + o.Name)
			n.group("evaluations." + o.Name)
		}
	case "learner":
		n.topic(event.TopicDeadLetter, write)
		n.topic(event.TopicEvaluations, write) // the blocks by which networks are compared
		for _, o := range c.Objectives {
			n.topic(event.TopicExamples(o.Name), read)
		}
		eachNetwork(c, func(key string) {
			n.topic(event.TopicModel(key), read, write, stream.OpAlterConfigs) // large weights raise its retention
			n.group("learner." + key)
		})
	case Analyst:
		for _, t := range c.Topics() {
			n.topic(t.Name, read)
		}
	case Dashboard:
		n = Needs(Analyst, c)
		for _, group := range dashboard.Groups(c.Objectives) {
			n = append(n, stream.Need{Group: true, Name: group, Operations: []string{stream.OpDescribe}})
		}
	}
	return n
}

// eachNetwork calls fn with the key of every network of every objective.
func eachNetwork(c *config.Config, fn func(key string)) {
	for _, o := range c.Objectives {
		for _, network := range o.NetworkNames() {
			fn(event.NetworkKey(o.Name, network))
		}
	}
}

// used returns what stages need, and the topics among it.
func used(stages []string, c *config.Config) (all []stream.Need, topics []stream.Topic) {
	for _, s := range stages {
		all = append(all, Needs(s, c)...)
	}
	for _, t := range c.Topics() {
		if slices.ContainsFunc(all, func(n stream.Need) bool { return !n.Group && n.Name == t.Name }) {
			topics = append(topics, stream.Topic(t))
		}
	}
	return all, topics
}
