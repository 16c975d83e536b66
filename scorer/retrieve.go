package scorer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/catalogue"
	"github.com/clickloop/clickloop/model"
)

// Retrieval asks for candidates from a catalogue.
type Retrieval struct {
	Catalogue string // empty: the request names its candidates itself
	Filter    string // an expression over item and context; empty: all items
	// how many items are scored exactly: those that the network probably ranks best, by their
	// vectors; 0: Items.Limit, and Choose at least
	Limit int
}

// Retrieved says what a retrieval has found.
type Retrieved struct {
	Passed int // items that passed the filter and were not excluded
	Scored int // items that were scored
	catalogue.Filtered
}

// named is what an answer keeps of a candidate from a catalogue, which may change.
type named struct{ ad, campaign string }

// retrieveScratch is the working memory of retrievals.
type retrieveScratch struct {
	search  catalogue.Search
	set     catalogue.Set
	slots   []catalogue.Slot
	keys    []string
	facts   event.Fields
	encoded []model.Feature
}

// retrieve gives the open requests that ask a catalogue their candidates. Profiles of the context
// are read for it, for which it waits until the deadline at most.
func (e *Engine) retrieve(ctx context.Context, c *Call, deadline time.Time, recorded bool) {
	for i := range c.Requests {
		q := &c.Requests[i]
		if !q.open() || q.Retrieval.Catalogue == "" {
			continue
		}
		if recorded {
			q.Answer.Err = &event.Error{Field: "candidates.catalogue", Reason: "cannot be asked in recorded time: which items are retrieved depends on when their vectors were made, and a replay would not repeat it"}
			continue
		}
		if err := e.retrieveOne(ctx, c, q, deadline); err != nil {
			q.Answer.Err = placedError(err)
		}
	}
}

// placedError names the place in a request that an error is about.
func placedError(err error) error {
	if wrong, ok := err.(*event.Error); ok {
		return &event.Error{Field: "candidates." + wrong.Field, Reason: wrong.Reason}
	}
	return &event.Error{Field: "candidates.filter", Reason: err.Error()}
}

func (e *Engine) retrieveOne(ctx context.Context, c *Call, q *Request, deadline time.Time) error {
	from, err := e.catalogue(q.Retrieval.Catalogue)
	if err != nil {
		return err
	}
	began := time.Now()
	s, v := &c.retrieval, from.View()
	s.set = v.All(s.set)
	if q.Retrieval.Filter != "" {
		filtered, err := from.Match(s.set, v, q.Retrieval.Filter, q.Context)
		if err != nil {
			return err
		}
		q.Answer.Retrieved.Filtered = filtered
	}
	for _, ad := range q.Exclude {
		if slot, ok := from.Find(v, ad); ok {
			s.set.Remove(slot)
		}
	}
	limit := e.limit(q)
	if q.fields = (width(q.Context) + v.Widest()) * limit; q.fields > e.cfg.maxFields() {
		return &event.Error{Field: "limit", Reason: fmt.Sprintf("makes %d fields of %d items, at most %d are allowed: send fewer fields, or a lower limit", q.fields, limit, e.cfg.maxFields())}
	}
	q.Answer.Retrieved.Passed = s.set.Len()
	e.readContext(ctx, c, q, deadline)
	s.slots = s.slots[:0]
	var weights *model.Replica
	r := e.followers[0].replicas.acquire()
	if r != nil {
		defer r.release()
		weights = r.weights
	}
	s.slots = from.vectors.Best(s.slots, v, s.set, limit, weights, s.encoded, &s.search)
	q.take(v, s.slots, from)
	q.Answer.Retrieved.Scored = len(q.Candidates)
	q.Choose = min(q.Choose, len(q.Candidates))
	e.metrics.retrieval.Observe(time.Since(began).Seconds())
	return nil
}

// limit is how many items are scored for q.
func (e *Engine) limit(q *Request) int {
	n := q.Retrieval.Limit
	if n == 0 {
		n = e.cfg.Items.Limit
	}
	return min(max(n, q.Choose), e.cfg.MaxCandidates)
}

// take makes candidates of items. Those that another process chose for the request come first, in
// the order of their indices, whether the catalogue still has them or not.
func (q *Request) take(v *catalogue.View, slots []catalogue.Slot, from *served) {
	q.Candidates = slices.DeleteFunc(q.Candidates, func(c Candidate) bool { return c.Ad == "" })
	chosen := len(q.Candidates)
	for i := range q.Candidates {
		c := &q.Candidates[i]
		if slot, ok := from.Find(v, c.Ad); ok {
			c.Value, c.Context = v.Value(slot), v.AppendFields(c.Context, slot)
		}
	}
	for _, slot := range slots {
		id := v.ID(slot)
		if slices.ContainsFunc(q.Candidates[:chosen], func(c Candidate) bool { return c.Ad == id }) {
			continue
		}
		c := q.Add()
		c.Ad, c.Campaign, c.Value = id, v.Campaign(slot), v.Value(slot)
		c.Context = v.AppendFields(c.Context, slot)
	}
}

// forget drops what candidates share with a View: a Call that is used again would write over it.
func (q *Request) forget() {
	if q.Retrieval.Catalogue == "" {
		return
	}
	for i := range q.Candidates {
		clear(q.Candidates[i].Context)
	}
}

// readContext encodes the features of a request that do not depend on the item, with the profiles
// of the entities that the request names by itself.
func (e *Engine) readContext(ctx context.Context, c *Call, q *Request, deadline time.Time) {
	s := &c.retrieval
	r := features.Request{Time: q.Time, User: q.User, Anonymous: q.Anonymous, Context: q.Context}
	s.keys = e.profiles.set.Keys(s.keys[:0], &r)
	profiles := map[string]features.Profile(nil)
	if len(s.keys) > 0 {
		profiles = e.profiles.ask(ctx, c, s.keys, deadline, false)
	}
	s.facts = e.profiles.set.Assemble(s.facts[:0], &r, profiles)
	s.encoded = features.Encode(s.encoded[:0], s.facts)
}

// number gives the chosen candidates of a retrieval the first indices, in their rank. So the ids of
// predictions do not tell where retrieval found their items, and a request that is sent again finds
// its choice in front. It says whether candidates have moved.
func (q *Request) number() (moved bool) {
	if q.Retrieval.Catalogue == "" {
		return false
	}
	ranked := q.Answer.Ranked
	for rank := range q.Chosen() {
		at := ranked[rank].Index
		if at == rank {
			continue
		}
		other := slices.IndexFunc(ranked, func(s Scored) bool { return s.Index == rank })
		q.Candidates[rank], q.Candidates[at] = q.Candidates[at], q.Candidates[rank]
		ranked[rank].Index, ranked[other].Index = rank, at
		moved = true
	}
	return moved
}

// name keeps what the answer says of the chosen items, and drops the others from it.
func (q *Request) name() {
	if q.Retrieval.Catalogue == "" {
		return
	}
	if q.Answer.Chosen > 0 {
		q.Answer.Ranked = q.Chosen()
	}
	q.Answer.named = make([]named, len(q.Answer.Ranked))
	for i, s := range q.Answer.Ranked {
		q.Answer.named[i] = named{q.Candidates[s.Index].Ad, q.Candidates[s.Index].Campaign}
	}
}

// adopt makes candidates of what an answer keeps of them. An index that it says nothing of has a
// candidate without an ad.
func (q *Request) adopt() {
	if q.Retrieval.Catalogue == "" {
		q.Answer.named = nil
		return
	}
	q.Candidates = q.Candidates[:0]
	for i, s := range q.Answer.Ranked {
		for len(q.Candidates) <= s.Index {
			q.Add()
		}
		if i < len(q.Answer.named) {
			q.Candidates[s.Index].Ad, q.Candidates[s.Index].Campaign = q.Answer.named[i].ad, q.Answer.named[i].campaign
		}
	}
	q.Choose = min(q.Choose, len(q.Candidates))
}
