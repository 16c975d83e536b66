// Package config reads clickloop's one YAML file, its environment variables and its common flags.
//
// Every setting has a default that runs. The file overrides defaults, CLICKLOOP_* variables
// override the file, and flags override both. An error names file and line, or flag, and the
// setting, its value, and what is allowed.
package config

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/clickloop/clickloop/bidder"
	"github.com/clickloop/clickloop/event"
	kinds "github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/feedback"
	"github.com/clickloop/clickloop/ingest"
	"github.com/clickloop/clickloop/internal/access"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/settings"
	"github.com/clickloop/clickloop/internal/tlsfiles"
	"github.com/clickloop/clickloop/internal/tracing"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/learner"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/scorer"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// Config is the whole configuration.
type Config struct {
	Kafka Kafka                `yaml:"kafka"`
	Redis features.RedisConfig `yaml:"redis"` // no address: the embedded one, in `up`
	HTTP  string               `yaml:"http"`  // address of the public port; port 0 for any free one
	Admin string               `yaml:"admin"` // address of the admin port; port 0 for any free one
	// let clients of both ports speak HTTP/2, too: with TLS by ALPN, without it by prior knowledge
	HTTP2 bool `yaml:"http2"`
	// how long the ports take requests after SIGTERM, while /readyz answers 503: longer than load
	// balancers take to notice. Then they close once no request has come for 100 ms, or a second
	// later
	ShutdownDelay time.Duration `yaml:"shutdown_delay"`
	// let the public port take events and requests without a key where it is not on loopback
	InsecurePublic bool            `yaml:"insecure_public"`
	HTTPS          tlsfiles.Server `yaml:"https"`       // certificate of the public port; none: plain HTTP
	AdminHTTPS     tlsfiles.Server `yaml:"admin_https"` // certificate of the admin port; none: plain HTTP
	// folder for checkpoints and the embedded services; empty: a temporary one
	Data       string            `yaml:"data"`
	Clock      string            `yaml:"clock"` // wall, or recorded for replays
	Features   features.Config   `yaml:"features"`
	Objectives []event.Objective `yaml:"objectives"`
	Model      model.Config      `yaml:"model"`     // of the default network
	Networks   Networks          `yaml:"networks"`  // other networks, by the names in objectives
	Watermark  watermark.Config  `yaml:"watermark"` // when events count as complete
	Ingest     ingest.Config     `yaml:"ingest"`
	Scorer     scorer.Config     `yaml:"scorer"`
	Feedback   feedback.Config   `yaml:"feedback"`
	Learner    learner.Config    `yaml:"learner"`
	Bidding    bidder.Config     `yaml:"bidding"` // off by default
	Access     access.Config     `yaml:"access"`  // who may call, and how much
	Tracing    tracing.Config    `yaml:"tracing"` // off by default
}

// Kafka says how to reach Kafka. Every stage and command connects by its Dial.
type Kafka struct {
	Brokers    []string `yaml:"brokers"`    // empty: the embedded broker, in `up`
	Prefix     string   `yaml:"prefix"`     // before every topic and group
	Partitions int      `yaml:"partitions"` // of events and predictions, when they are created

	TLS  tlsfiles.Client `yaml:"tls"`  // of every connection to the brokers
	SASL stream.SASL     `yaml:"sasl"` // the login of every connection
}

// Client is how a client that calls itself clientID connects. A variable may hold the password.
func (k Kafka) Client(clientID string) stream.Config {
	return stream.Config{Brokers: k.Brokers, Prefix: k.Prefix, ClientID: clientID, TLS: k.TLS, SASL: k.SASL, Password: os.Getenv("CLICKLOOP_KAFKA_PASSWORD")}
}

// Dial returns a client that calls itself clientID. logger and reg may be nil.
func (k Kafka) Dial(clientID string, logger *slog.Logger, reg prometheus.Registerer) (*stream.Client, error) {
	cfg := k.Client(clientID)
	cfg.Logger, cfg.Registerer = logger, reg
	return stream.Dial(cfg)
}

// Secured returns the setting by which the brokers are reached over TLS or with a login, or "".
func (k Kafka) Secured() string {
	switch {
	case k.TLS.Enabled:
		return "kafka.tls.enabled"
	case k.SASL.Mechanism != "":
		return "kafka.sasl.mechanism"
	}
	return ""
}

// validateAccess checks how the brokers are reached.
func (k Kafka) validateAccess() error {
	if err := field.Within("kafka.tls", k.TLS.Validate()); err != nil {
		return err
	}
	cfg := k.Client("")
	if err := field.Within("kafka.sasl", k.SASL.Validate(cfg.Password != "")); err != nil {
		return err
	}
	return field.Within("kafka", cfg.CheckClear())
}

// Topics are all topics of a loop with these settings.
func (c *Config) Topics() []event.Topic {
	topics := event.Topics(c.Objectives, c.Kafka.Partitions, c.Scorer.Items.Catalogues...)
	if c.Bidding.On() {
		topics = append(topics, event.BiddingTopics()...)
	}
	return topics
}

// Networks are configurations of networks by name. A setting that a network leaves out has its
// default value, not the value in the section model.
type Networks map[string]model.Config

// Default is the configuration over which the decoder reads each network.
func (n Networks) Default() any { return model.DefaultConfig() }

var _ settings.Defaulter = Networks(nil)

// Values of Config.Clock.
const (
	ClockWall     = "wall"
	ClockRecorded = "recorded"
)

// Default is the configuration of an empty file.
func Default() Config {
	return Config{
		Kafka:    Kafka{Prefix: "clickloop.", Partitions: 4},
		HTTP:     "127.0.0.1:8080",
		Admin:    "127.0.0.1:8081",
		HTTP2:    true,
		Clock:    ClockWall,
		Features: DefaultFeatures(),
		Objectives: []event.Objective{
			{Name: "click", Trigger: event.TypeImpression, Positive: event.TypeClick, Window: 30 * time.Minute},
			{Name: "conversion", Trigger: event.TypeImpression, Positive: event.TypeConversion, Window: 24 * time.Hour},
		},
		Model:     model.DefaultConfig(),
		Watermark: watermark.DefaultConfig(),
		Ingest:    ingest.DefaultConfig(),
		Scorer:    scorer.DefaultConfig(),
		Feedback:  feedback.DefaultConfig(),
		Learner:   learner.DefaultConfig(),
		Bidding:   bidder.DefaultConfig(),
		Access:    access.DefaultConfig(),
		Tracing:   tracing.DefaultConfig(),
	}
}

// DefaultFeatures takes every field of the context, and a few profiles: the events of a user, the
// click rates of ads and campaigns, and a user's impressions of a campaign.
func DefaultFeatures() features.Config {
	return features.Config{
		Context: []string{"*"},
		Profiles: []features.ProfileConfig{
			{Name: "user.impressions_1h", Entity: "user", Aggregate: "count", Event: event.TypeImpression, Window: "1h"},
			{Name: "user.clicks_1h", Entity: "user", Aggregate: "count", Event: event.TypeClick, Window: "1h"},
			{Name: "user.clicks_7d", Entity: "user", Aggregate: "count", Event: event.TypeClick, Window: "7d"},
			{Name: "user.conversions_7d", Entity: "user", Aggregate: "count", Event: event.TypeConversion, Window: "7d"},
			{Name: "user.click_recency", Entity: "user", Aggregate: "recency", Event: event.TypeClick},
			{Name: "ad.click_rate_1d", Entity: "ad", Aggregate: "ratio", Event: event.TypeClick, Over: event.TypeImpression, Window: "1d", Prior: 0.01, Weight: 100},
			{Name: "campaign.click_rate_1d", Entity: "campaign", Aggregate: "ratio", Event: event.TypeClick, Over: event.TypeImpression, Window: "1d", Prior: 0.01, Weight: 100},
			{Name: "user_campaign.impressions_1d", Entity: "user*campaign", Aggregate: "count", Event: event.TypeImpression, Window: "1d"},
		},
	}
}

// Validate returns a *field.Error about the first setting that is wrong.
func (c *Config) Validate() error {
	if c.Clock != ClockWall && c.Clock != ClockRecorded {
		return field.Wrong("clock", "is %q, want wall or recorded", c.Clock)
	}
	if c.ShutdownDelay < 0 || c.ShutdownDelay > 5*time.Minute {
		return field.Wrong("shutdown_delay", "is %v, want 0 to 5m", c.ShutdownDelay)
	}
	if c.Kafka.Partitions < 1 || c.Kafka.Partitions > 1000 {
		return field.Wrong("kafka.partitions", "is %d, want 1 to 1000", c.Kafka.Partitions)
	}
	if err := c.validateAddresses(); err != nil {
		return err
	}
	if err := c.Kafka.validateAccess(); err != nil {
		return err
	}
	if err := validateObjectives(c.Objectives); err != nil {
		return err
	}
	if err := c.validateNetworks(); err != nil {
		return err
	}
	if err := validateFeatures(c.Features); err != nil {
		return err
	}
	sections := []struct {
		name     string
		validate func() error
	}{
		{"model", c.Model.Validate}, {"watermark", c.Watermark.Validate}, {"ingest", c.Ingest.Validate}, {"scorer", c.Scorer.Validate},
		{"feedback", c.Feedback.Validate}, {"learner", c.Learner.Validate}, {"bidding", c.Bidding.Validate},
		{"access", c.Access.Validate}, {"tracing", c.Tracing.Validate}, {"https", c.HTTPS.Validate}, {"admin_https", c.AdminHTTPS.Validate},
	}
	for _, s := range sections {
		if err := s.validate(); err != nil {
			return field.Within(s.name, err)
		}
	}
	var names []string
	for i := range c.Objectives {
		names = append(names, c.Objectives[i].Name)
	}
	if err := field.Within("scorer", c.Scorer.CheckValue(names)); err != nil {
		return err
	}
	if err := c.validatePolicy(); err != nil {
		return err
	}
	if err := c.validateSigning(); err != nil {
		return err
	}
	if err := c.validateMaxAge(); err != nil {
		return err
	}
	if least := 4 * c.Ingest.Heartbeat; c.Watermark.Lease < least {
		return field.Wrong("watermark.lease", "is %v, want at least four times ingest.heartbeat (%v): a collector that beats on time must not be left out", c.Watermark.Lease, least)
	}
	return nil
}

// validateObjectives checks the objectives. Their names become parts of topic names, so two of one
// name would share topics.
func validateObjectives(objectives []event.Objective) error {
	if len(objectives) == 0 {
		return field.Wrong("objectives", "is empty, want at least one, such as {name: click, trigger: impression, positive: click, window: 30m}")
	}
	seen := map[string]bool{}
	for i, o := range objectives {
		at := fmt.Sprintf("objectives[%d].", i)
		switch {
		case !nameForm.MatchString(o.Name):
			return field.Wrong(at+"name", "is %q, want 1 to 64 letters, digits, - or _ (it becomes part of topic names)", o.Name)
		case seen[o.Name]:
			return field.Wrong(at+"name", "is %q, which an objective above has already", o.Name)
		case o.Trigger == "":
			return field.Wrong(at+"trigger", "is empty, want prediction or a type of event, such as impression")
		}
		if err := kinds.KindOf(o).Check(); err != nil {
			return field.Within(strings.TrimSuffix(at, "."), err)
		}
		if o.Window < time.Millisecond || o.Window > 90*24*time.Hour {
			return field.Wrong(at+"window", "is %v, want 1ms to 2160h (90 days)", o.Window)
		}
		seen[o.Name] = true
	}
	return nil
}

// validatePolicy refuses a policy that goes by how uncertain predictions are where an objective
// serves a network that cannot tell.
func (c *Config) validatePolicy() error {
	if !c.Scorer.Uncertain() {
		return nil
	}
	for _, o := range c.Objectives {
		m, ok := c.Networks[o.ServedNetwork()]
		if !ok {
			m = c.Model
		}
		if len(m.Network) > 0 {
			return field.Wrong("scorer.policy", "is %s, but objective %s serves the network %s of %s, which counts no labels of its tokens and cannot tell how uncertain it is: serve the default mixture (network: []), or choose another policy",
				c.Scorer.Policy, o.Name, o.ServedNetwork(), strings.Join(m.Network, ", "))
		}
	}
	return nil
}

// validateNetworks checks the networks, and that objectives name existing ones.
func (c *Config) validateNetworks() error {
	for _, name := range slices.Sorted(maps.Keys(c.Networks)) {
		switch m := c.Networks[name]; {
		case !nameForm.MatchString(name):
			return field.Wrong("networks."+name, "is named %q, want 1 to 64 letters, digits, - or _ (it becomes part of topic names)", name)
		case name == event.DefaultNetwork:
			return field.Wrong("networks."+name, "is the network that the section model describes: give another one another name")
		default:
			if err := m.Validate(); err != nil {
				return field.Within("networks."+name, err)
			}
			if m.Output == "identity" {
				return field.Wrong("networks."+name+".output", noTargets, m.Output)
			}
		}
	}
	if c.Model.Output == "identity" {
		return field.Wrong("model.output", noTargets, c.Model.Output)
	}
	for i, o := range c.Objectives {
		for j, name := range o.Networks {
			at := fmt.Sprintf("objectives[%d].networks[%d]", i, j)
			if _, ok := c.Networks[name]; !ok && name != event.DefaultNetwork {
				return field.Wrong(at, "is %q, want %s or a name in the section networks", name, event.DefaultNetwork)
			}
			if slices.Contains(o.Networks[:j], name) {
				return field.Wrong(at, "is %q, which stands before it already", name)
			}
		}
		if o.Serve != "" && !slices.Contains(o.NetworkNames(), o.Serve) {
			return field.Wrong(fmt.Sprintf("objectives[%d].serve", i), "is %q, want one of its networks: %s", o.Serve, strings.Join(o.NetworkNames(), ", "))
		}
	}
	return nil
}

// noTargets is the reason why no network may predict numbers: labels are yes or no.
const noTargets = "is %q, and numbers as targets are not supported: want sigmoid, with labels of yes and no"

// nameForm matches the names of objectives and networks.
var nameForm = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// validateFeatures checks the section features.
func validateFeatures(c features.Config) error {
	for _, list := range []struct {
		name     string
		patterns []string
	}{{"context", c.Context}, {"drop", c.Drop}} {
		for i, p := range list.patterns {
			bare := strings.TrimSuffix(p, ".*")
			if bare == "" || strings.Contains(bare, "*") && (p != "*" || list.name == "drop") {
				return field.Wrong(fmt.Sprintf("features.%s[%d]", list.name, i), "is %q, want a name, or geo.* for all below geo", p)
			}
		}
	}
	_, err := features.Compile(c)
	return err
}
