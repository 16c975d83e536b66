package run

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/story"
	"github.com/clickloop/clickloop/bidder"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/feedback"
	"github.com/clickloop/clickloop/ingest"
	"github.com/clickloop/clickloop/internal/signing"
	"github.com/clickloop/clickloop/learner"
	"github.com/clickloop/clickloop/scorer"
)

// Stages are the names of the stages of every loop.
var Stages = []string{"ingest", "scorer", "feedback", "learner"}

// Bidder is the name of the stage that runs where the configuration wants bids.
const Bidder = "bidder"

// Dashboard is the name of what shows the loop. It is no stage: nothing waits for it.
const Dashboard = "dashboard"

// StagesOf are the names of the stages that a configuration wants, and the dashboard.
func StagesOf(c *config.Config) []string {
	all := slices.Clone(Stages)
	if c.Bidding.On() {
		all = append(all, Bidder)
	}
	if c.Dashboard.Enabled {
		all = append(all, Dashboard)
	}
	return all
}

// stage is implemented by all four stages.
type stage interface {
	Register(public, admin *http.ServeMux)
	Run(context.Context) error
	Ready(context.Context) error
}

// builder makes the stages of a Loop from what they share.
type builder struct {
	*Loop
	set      *features.Set
	clock    *ingest.Clock
	recorded bool          // the Loop starts in recorded time
	whole    bool          // all stages run in this process
	keys     *signing.Ring // of scorer and feedback; nil: nothing is signed
	// stages that were made, for the bidder; nil: they are in other processes
	scores *scorer.Scorer
	takes  *ingest.Ingester
	// the bidder that was made, for the dashboard; nil: it is in another process, or there is none
	bids *bidder.Bidder
}

// builders say how each stage is made, and which store in Redis it has.
var builders = map[string]struct {
	namespace string // of the store; empty: the stage has none
	role      features.Role
	build     func(*builder, features.Store) (stage, error)
}{
	"ingest":   {"profiles", features.Writing, (*builder).ingest},
	"scorer":   {"profiles", features.Serving, (*builder).scorer},
	"feedback": {"outcomes", features.Writing, (*builder).feedback},
	"learner":  {build: (*builder).learner},
	Bidder:     {"profiles", features.Serving, (*builder).bidder}, // and the ledger
	Dashboard:  {build: (*builder).dashboard},
}

// store is a stage's way to Redis.
type store struct {
	client *features.RedisClient
	rights *features.Rights
}

// HasStore tells whether a stage keeps anything in Redis.
func HasStore(stage string) bool { return builders[stage].namespace != "" }

// RedisRights returns what a stage's user needs in Redis under a prefix, store by store; nil when
// it needs nothing. Of the commands that Analyst stands for, doctor alone asks Redis.
func RedisRights(stage, prefix string) []*features.Rights {
	if stage == Analyst {
		rights := features.RightsOf(prefix, "profiles", features.Serving)
		rights.Commands = slices.DeleteFunc(rights.Commands, func(c string) bool { return c == "hgetall" })
		return []*features.Rights{rights}
	}
	if !HasStore(stage) {
		return nil
	}
	all := []*features.Rights{features.RightsOf(prefix, builders[stage].namespace, builders[stage].role)}
	if stage == Bidder {
		all = append(all, features.LedgerRights(prefix))
	}
	return all
}

// build makes the stages of these names.
func (l *Loop) build(names []string) error {
	set, err := features.Compile(l.cfg.Features)
	if err != nil {
		return err
	}
	recorded := l.cfg.Clock == config.ClockRecorded
	b := &builder{Loop: l, set: set, clock: ingest.NewClock(now, recorded), recorded: recorded, whole: isWhole(names, &l.cfg)}
	l.setRecorded = append(l.setRecorded, b.clock.SetRecorded)
	if slices.Contains(names, "scorer") || slices.Contains(names, "feedback") || slices.Contains(names, Bidder) {
		if b.keys, err = l.cfg.SignKeys(l.logger); err != nil {
			return err
		}
		l.keys = b.keys
	}
	for _, name := range names {
		s, err := b.stage(name)
		if err != nil {
			return fmt.Errorf("cannot build %s: %w", name, err)
		}
		l.stages = append(l.stages, s)
	}
	if b.whole || slices.Contains(names, Dashboard) {
		s := story.New(story.Finder{Client: l.Client, Objectives: l.cfg.Objectives, Revise: l.cfg.Feedback.Revises(), Now: now}, l.logger)
		l.calls, l.running = append(l.calls, s), append(l.running, s.Run)
	}
	return nil
}

// isWhole tells whether these are all stages of a loop. The dashboard is none.
func isWhole(names []string, c *config.Config) bool {
	for _, name := range StagesOf(c) {
		if name != Dashboard && !slices.Contains(names, name) {
			return false
		}
	}
	return true
}

// now is the wall clock of all stages.
func now() event.Time { return event.TimeOf(time.Now()) }

// stage makes one stage. Its store has a connection of its own.
func (b *builder) stage(name string) (stage, error) {
	how, ok := builders[name]
	if !ok {
		return nil, fmt.Errorf("there is no stage %q, only %s", name, strings.Join(append(slices.Clone(Stages), Bidder, Dashboard), ", "))
	}
	if how.namespace == "" {
		return how.build(b, nil)
	}
	client, err := b.dialRedis(how.role, name)
	if err != nil {
		return nil, err
	}
	b.stores = append(b.stores, store{client, RedisRights(name, b.cfg.Kafka.Prefix)[0]})
	ttl := outcomeTTL(&b.cfg)
	if how.namespace == "profiles" {
		ttl = b.set.Retention() + 24*time.Hour
	}
	return how.build(b, features.NewRedis(client, b.cfg.Kafka.Prefix, how.namespace, ttl))
}

// outcomeTTL returns how long Redis keeps outcomes: until the longest window has certainly been
// labelled.
func outcomeTTL(c *config.Config) time.Duration {
	return event.LongestWindow(c.Objectives) + c.Feedback.OutcomeTTL
}

// ingest folds events into profiles. Its clock can switch to recorded time, and feedback shares it.
func (b *builder) ingest(profiles features.Store) (stage, error) {
	s, err := ingest.New(b.cfg.Ingest, ingest.Deps{
		Client: b.Client, Set: b.set, Store: profiles, Clock: b.clock, Access: b.gate, Watermark: b.cfg.Watermark, Tracer: b.tracer, Logger: b.logger, Registerer: b.registry,
	})
	if err != nil {
		return nil, err
	}
	b.takes = s
	return s, nil
}

// scorer reads profiles. It switches between recorded and wall time with the clock.
func (b *builder) scorer(profiles features.Store) (stage, error) {
	s, err := scorer.New(b.cfg.Scorer, scorer.Deps{
		Client: b.Client, Objectives: b.cfg.Objectives, Priors: b.cfg.Priors(), Set: b.set, Store: profiles, Now: now, Recorded: b.recorded, Keys: b.keys, Logger: b.logger, Registerer: b.registry,
	}, b.gate)
	if err != nil {
		return nil, err
	}
	b.setRecorded = append(b.setRecorded, s.SetRecorded)
	b.scores = s
	return s, nil
}

// feedback folds outcomes and labels predictions. A process of all stages in recorded time labels
// all partitions in one order, so that a replay gives the same weights each time.
func (b *builder) feedback(outcomes features.Store) (stage, error) {
	return feedback.New(b.cfg.Feedback, feedback.Deps{
		Client: b.Client, Objectives: b.cfg.Objectives, OneOrder: b.recorded && b.whole, Outcomes: outcomes, Shown: b.set.Shown(),
		Keys: b.keys, MaxAge: b.cfg.Ingest.MaxAge, Now: now, Recorded: b.clock.Recorded, Watermark: b.cfg.Watermark, Tracer: b.tracer, Logger: b.logger, Registerer: b.registry,
	})
}

// learner has no store. Without a data folder it keeps no checkpoints, and learns from the start of
// the topic each time.
func (b *builder) learner(features.Store) (stage, error) {
	dir := ""
	if b.cfg.Data != "" {
		dir = filepath.Join(b.cfg.Data, "checkpoints")
	}
	return learner.New(b.cfg.Learner, learner.Deps{
		Client: b.Client, Objectives: b.cfg.Objectives, Model: b.cfg.Model, Networks: b.cfg.Networks, Dir: dir, Now: now, Tracer: b.tracer, Logger: b.logger, Registerer: b.registry,
	})
}
