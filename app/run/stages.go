package run

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/feedback"
	"github.com/clickloop/clickloop/ingest"
	"github.com/clickloop/clickloop/learner"
	"github.com/clickloop/clickloop/scorer"
)

// Stages are the names of all stages.
var Stages = []string{"ingest", "scorer", "feedback", "learner"}

// stage is implemented by all four stages.
type stage interface {
	Register(*http.ServeMux)
	Run(context.Context) error
	Ready(context.Context) error
}

// builder makes the stages of a Loop from what they share.
type builder struct {
	*Loop
	set      *features.Set
	clock    *ingest.Clock
	recorded bool // the Loop starts in recorded time
	whole    bool // all stages run in this process
}

// builders make a stage by its name.
var builders = map[string]func(*builder) (stage, error){
	"ingest": (*builder).ingest, "scorer": (*builder).scorer, "feedback": (*builder).feedback, "learner": (*builder).learner,
}

// build makes the stages of these names.
func (l *Loop) build(names []string) error {
	set, err := features.Compile(l.cfg.Features)
	if err != nil {
		return err
	}
	recorded := l.cfg.Clock == config.ClockRecorded
	b := &builder{Loop: l, set: set, clock: ingest.NewClock(now, recorded), recorded: recorded, whole: len(names) == len(Stages)}
	l.setRecorded = append(l.setRecorded, b.clock.SetRecorded)
	for _, name := range names {
		build, ok := builders[name]
		if !ok {
			return fmt.Errorf("cannot build %s: there is no stage %q, only %s", name, name, strings.Join(Stages, ", "))
		}
		s, err := build(b)
		if err != nil {
			return fmt.Errorf("cannot build %s: %w", name, err)
		}
		l.stages = append(l.stages, s)
	}
	return nil
}

func now() event.Time { return event.TimeOf(time.Now()) }

// store returns a store in Redis, over a connection of its own.
func (b *builder) store(role features.Role, namespace string, ttl time.Duration) (features.Store, error) {
	client, err := b.dialRedis(role)
	if err != nil {
		return nil, err
	}
	return features.NewRedis(client, b.cfg.Kafka.Prefix, namespace, ttl), nil
}

// profiles returns the store of profiles. Redis keeps them for a day beyond their retention.
func (b *builder) profiles(role features.Role) (features.Store, error) {
	return b.store(role, "profiles", b.set.Retention()+24*time.Hour)
}

func (b *builder) ingest() (stage, error) {
	profiles, err := b.profiles(features.Writing)
	if err != nil {
		return nil, err
	}
	return ingest.New(b.cfg.Ingest, ingest.Deps{
		Client: b.Client, Set: b.set, Store: profiles, Clock: b.clock, Watermark: b.cfg.Watermark, Logger: b.logger, Registerer: b.registry,
	})
}

func (b *builder) scorer() (stage, error) {
	profiles, err := b.profiles(features.Serving)
	if err != nil {
		return nil, err
	}
	s, err := scorer.New(b.cfg.Scorer, scorer.Deps{
		Client: b.Client, Objectives: b.cfg.Objectives, Priors: b.cfg.Priors(), Set: b.set, Store: profiles, Now: now, Recorded: b.recorded, Logger: b.logger, Registerer: b.registry,
	})
	if err != nil {
		return nil, err
	}
	b.setRecorded = append(b.setRecorded, s.SetRecorded)
	return s, nil
}

func (b *builder) feedback() (stage, error) {
	outcomes, err := b.store(features.Writing, "outcomes", outcomeTTL(&b.cfg))
	if err != nil {
		return nil, err
	}
	return feedback.New(b.cfg.Feedback, feedback.Deps{
		Client: b.Client, Objectives: b.cfg.Objectives, OneOrder: b.recorded && b.whole, Outcomes: outcomes,
		Now: now, Recorded: b.clock.Recorded, Watermark: b.cfg.Watermark, Logger: b.logger, Registerer: b.registry,
	})
}

// outcomeTTL returns how long Redis keeps outcomes: until the longest window has certainly been
// labelled.
func outcomeTTL(c *config.Config) time.Duration {
	return event.LongestWindow(c.Objectives) + c.Feedback.OutcomeTTL
}

func (b *builder) learner() (stage, error) {
	dir := ""
	if b.cfg.Data != "" {
		dir = filepath.Join(b.cfg.Data, "checkpoints")
	}
	return learner.New(b.cfg.Learner, learner.Deps{
		Client: b.Client, Objectives: b.cfg.Objectives, Model: b.cfg.Model, Networks: b.cfg.Networks, Dir: dir, Now: now, Logger: b.logger, Registerer: b.registry,
	})
}
