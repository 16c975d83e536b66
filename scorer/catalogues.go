package scorer

import (
	"context"
	"fmt"
	"regexp"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/catalogue"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/model"
	"golang.org/x/sync/errgroup"
)

// Items is the section scorer.items of the configuration.
type Items struct {
	// names of catalogues; each has a topic of its own
	Catalogues []string `yaml:"catalogues"`
	// of a catalogue; further items are not taken
	MaxItems int `yaml:"max_items"`
	// bytes of memory that a catalogue may take, about; further items are not taken
	MaxBytes int `yaml:"max_bytes"`
	// items that are retrieved for a request that does not say how many: those are scored exactly
	Limit int `yaml:"limit"`
}

// catalogueName becomes part of a topic's name.
var catalogueName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

const maxCatalogues = 16

// validate checks the section.
func (c *Items) validate() error {
	if len(c.Catalogues) > maxCatalogues {
		return field.Wrong("items.catalogues", "has %d names, want at most %d", len(c.Catalogues), maxCatalogues)
	}
	seen := map[string]bool{}
	for i, name := range c.Catalogues {
		at := fmt.Sprintf("items.catalogues[%d]", i)
		if !catalogueName.MatchString(name) {
			return field.Wrong(at, "is %q, want 1 to 64 letters, digits, - or _ (it becomes part of a topic's name)", name)
		}
		if seen[name] {
			return field.Wrong(at, "is %q, which stands before it already", name)
		}
		seen[name] = true
	}
	switch {
	case c.MaxItems < 1 || c.MaxItems > 10_000_000:
		return field.Wrong("items.max_items", "is %d, want 1 to 10000000", c.MaxItems)
	case c.MaxBytes < 1<<20:
		return field.Wrong("items.max_bytes", "is %d, want at least 1048576", c.MaxBytes)
	case c.Limit < 1 || c.Limit > 10_000:
		return field.Wrong("items.limit", "is %d, want 1 to 10000", c.Limit)
	}
	return nil
}

// served is a catalogue with what keeps it up to date.
type served struct {
	*catalogue.Catalogue
	follower *catalogue.Follower
	vectors  *catalogue.Vectors
}

// newCatalogues makes the catalogues of the configuration. Their vectors are for the first
// objective's network, by which candidates are ranked.
func (e *Engine) newCatalogues(d *Deps) {
	for _, name := range e.cfg.Items.Catalogues {
		c := catalogue.New(name, catalogue.Config{MaxItems: e.cfg.Items.MaxItems, MaxBytes: e.cfg.Items.MaxBytes})
		count := func(result string, n int) { e.metrics.items.WithLabelValues(name, result).Add(float64(n)) }
		e.catalogues = append(e.catalogues, &served{
			Catalogue: c, follower: &catalogue.Follower{Client: d.Client, Logger: e.logger, Count: count},
			vectors: catalogue.NewVectors(c, catalogue.Source{Set: d.Set, Store: d.Store, Now: d.Now, Weights: e.useWeights}),
		})
	}
}

// useWeights calls use with the newest weights of the first objective, and says whether there are
// any.
func (e *Engine) useWeights(use func(*model.Replica)) bool {
	r := e.followers[0].replicas.acquire()
	if r == nil {
		return false
	}
	defer r.release()
	use(r.weights)
	return true
}

// runCatalogues keeps the catalogues up to date until ctx ends.
func (e *Engine) runCatalogues(ctx context.Context, g *errgroup.Group) {
	for _, c := range e.catalogues {
		g.Go(func() error { return c.follower.Run(ctx, c.Catalogue) })
		g.Go(func() error { return c.vectors.Run(ctx) })
	}
}

// cataloguesReady returns nil when every catalogue was read whole.
func (e *Engine) cataloguesReady() error {
	for _, c := range e.catalogues {
		if !c.follower.Whole() {
			return fmt.Errorf("the catalogue %s is being read", c.Name)
		}
	}
	return nil
}

// catalogue returns the one of a name. The error names the nearest one.
func (e *Engine) catalogue(name string) (*served, error) {
	var known []string
	for _, c := range e.catalogues {
		if c.Name == name {
			return c, nil
		}
		known = append(known, c.Name)
	}
	if len(known) == 0 {
		return nil, &event.Error{Field: "catalogue", Reason: "is not known: no catalogue is configured (scorer.items.catalogues)"}
	}
	return nil, &event.Error{Field: "catalogue", Reason: event.UnknownName(name, known)}
}
