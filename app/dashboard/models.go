package dashboard

import (
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
)

// weights notes the newest record of a network's weights.
func (c *collector) weights(topic string, examples int64, written time.Time) {
	key := strings.TrimPrefix(topic, event.TopicModel(""))
	if c.versions == nil {
		c.versions = map[string]version{}
	}
	c.versions[key] = version{event.ModelVersion(key, examples), written}
}

// version is a network's newest weights on their topic.
type version struct {
	name    string
	written time.Time
}

// describeModels makes the state's models. What is served is told by the newest prediction.
func (c *collector) describeModels() {
	c.state.Models = c.state.Models[:0]
	for _, o := range c.d.d.Objectives {
		for _, network := range o.NetworkNames() {
			key := event.NetworkKey(o.Name, network)
			info := ModelInfo{Objective: o.Name, Network: network, BehindExamples: c.behind("learner." + key)}
			if v, ok := c.versions[key]; ok {
				age := max(c.at.Sub(v.written).Milliseconds(), 0)
				info.Version, info.AgeMs = v.name, &age
			}
			if network == o.ServedNetwork() && len(c.state.Predictions) > 0 {
				info.Served = c.state.Predictions[0].Model[o.Name]
			}
			c.state.Models = append(c.state.Models, info)
		}
	}
}
