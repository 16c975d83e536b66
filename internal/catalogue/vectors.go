package catalogue

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/notify"
	"github.com/clickloop/clickloop/model"
)

// Source is what vectors are made with.
type Source struct {
	Set   *features.Set
	Store features.Store // has profiles
	Now   func() event.Time
	// Weights calls use with the newest weights, which do not change meanwhile. It returns false,
	// and calls nothing, when there are none.
	Weights func(use func(*model.Replica)) bool
}

// Vectors are those of a catalogue's items. One goroutine makes them; readers take a generation,
// which never changes, and no lock.
//
// Vectors follow the weights: a chunk of 1,024 items at a time, the one that was made longest ago
// first, with a share of one processor. A chunk of which an item has changed comes before all
// others.
type Vectors struct {
	Source
	catalogue *Catalogue
	current   atomic.Pointer[generation]
	maker     maker
}

// generation is the vectors for one Space.
type generation struct {
	space   *model.Space
	columns int   // of the View: a new one is a new field of the space, perhaps
	uses    []int // columns whose values are features
	items   []*itemVectors
	values  [][]*valueVectors // by column
}

// itemVectors are those of a chunk.
type itemVectors struct {
	of      *chunk
	weights int64 // examples that they had learned
	rows    []uint16
	tokens  model.Tokens
}

// valueVectors are those of different values of a field.
type valueVectors struct {
	of      *values
	weights int64
	rows    []uint16
	tokens  model.Tokens
}

// adField is the field that an item's id becomes. Its vector is part of the item's.
var adField = model.FieldHash("ad")

const (
	encodeAtOnce = 128 // items, or values, before the weights may change
	// after work for new weights, the maker pauses for so many times as long
	restShare = 9
	lookEvery = 100 * time.Millisecond // whether weights have changed
	readWait  = time.Second            // for the profiles of encodeAtOnce items
)

// NewVectors returns vectors of c's items, which Run makes.
func NewVectors(c *Catalogue, s Source) *Vectors { return &Vectors{Source: s, catalogue: c} }

// maker is the working memory of Run.
type maker struct {
	scratch  *model.Scratch
	facts    event.Fields
	fields   event.Fields
	encoded  []model.Feature
	keys     []string
	profiles map[string]features.Profile
}

// Run keeps the vectors up to date until ctx ends.
func (x *Vectors) Run(ctx context.Context) error {
	for {
		changed := x.catalogue.Changed.Wait()
		began := time.Now()
		switch x.step(ctx) {
		case stepNone:
			if err := notify.Await(ctx, changed, lookEvery); err != nil {
				return err
			}
		case stepRenewed:
			if err := notify.Await(ctx, changed, restShare*time.Since(began)); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// What a step has done.
const (
	stepNone    = iota // nothing: all vectors are of the newest weights
	stepChanged        // it has made what the catalogue changed
	stepRenewed        // it has made a chunk again, for new weights
)

// step makes some vectors.
func (x *Vectors) step(ctx context.Context) int {
	v := x.catalogue.View()
	g := x.current.Load()
	examples, fits := int64(0), false
	if !x.Weights(func(r *model.Replica) { examples, fits = r.Examples(), g != nil && r.Fits(g.space) }) {
		return stepNone
	}
	if !fits || g.columns != len(v.Columns) {
		return x.begin(ctx, v)
	}
	next := g.clone(v)
	if x.makeChanged(ctx, v, next) {
		x.current.Store(next)
		return stepChanged
	}
	if x.makeOldest(ctx, v, next, examples) {
		x.current.Store(next)
		return stepRenewed
	}
	return stepNone
}

// begin makes a generation for another Space. The one before it serves until it is whole, to
// networks that it fits.
func (x *Vectors) begin(ctx context.Context, v *View) int {
	names := x.names(v)
	g := &generation{columns: len(v.Columns)}
	x.Weights(func(r *model.Replica) { g.space = r.NewSpace(names) })
	for i, c := range v.Columns {
		if slices.Contains(names, c.hash) {
			g.uses = append(g.uses, i)
		}
	}
	g = g.clone(v)
	x.makeChanged(ctx, v, g)
	if ctx.Err() == nil {
		x.current.Store(g)
	}
	return stepChanged
}

// names are the features that items have by themselves, by the hashes of their names: their ids and
// fields, profiles that they name, and crosses of these.
func (x *Vectors) names(v *View) (names []uint64) {
	q := features.Request{Time: x.Now(), Ad: "x", Campaign: "x"}
	for _, c := range v.Columns[campaignColumn+1:] {
		q.Candidate = append(q.Candidate, event.Field{Name: c.Name, Value: event.Value{Kind: event.String, Str: "x"}})
	}
	for _, f := range x.Set.Assemble(nil, &q, map[string]features.Profile{}) {
		names = append(names, model.FieldHash(f.Name))
	}
	return names
}

// clone returns a generation with room for the chunks of v, which may be changed.
func (g *generation) clone(v *View) *generation {
	n := &generation{space: g.space, columns: g.columns, uses: g.uses, items: slices.Clone(g.items), values: make([][]*valueVectors, g.columns)}
	for len(n.items) < len(v.chunks) {
		n.items = append(n.items, &itemVectors{})
	}
	for i := range min(g.columns, len(g.values)) {
		n.values[i] = slices.Clone(g.values[i])
	}
	for _, i := range g.uses {
		for len(n.values[i]) < len(v.Columns[i].chunks) {
			n.values[i] = append(n.values[i], &valueVectors{})
		}
	}
	return n
}

// makeChanged makes the vectors of all chunks that are others than those of g, and says whether
// there were any.
func (x *Vectors) makeChanged(ctx context.Context, v *View, g *generation) (any bool) {
	for _, i := range g.uses {
		for c := range v.Columns[i].chunks {
			if g.values[i][c].of != v.Columns[i].chunks[c] {
				g.values[i][c] = x.makeValues(v.Columns[i], c, g.space)
				any = true
			}
		}
	}
	for c := range v.chunks {
		if g.items[c].of != v.chunks[c] && ctx.Err() == nil {
			g.items[c] = x.makeItems(ctx, v, c, g.space)
			any = true
		}
	}
	return any
}

// makeOldest makes the chunk of items, or of values, again whose weights are the oldest.
func (x *Vectors) makeOldest(ctx context.Context, v *View, g *generation, examples int64) bool {
	column, at, oldest := -1, -1, examples
	for c, items := range g.items {
		if items.weights < oldest {
			at, oldest = c, items.weights
		}
	}
	for _, i := range g.uses {
		for c, values := range g.values[i] {
			if values.weights < oldest {
				column, at, oldest = i, c, values.weights
			}
		}
	}
	switch {
	case at < 0:
		return false
	case column >= 0:
		g.values[column][at] = x.makeValues(v.Columns[column], at, g.space)
	default:
		g.items[at] = x.makeItems(ctx, v, at, g.space)
	}
	return true
}

// makeValues makes the vectors of a chunk of a column.
func (x *Vectors) makeValues(col *Column, at int, sp *model.Space) *valueVectors {
	m, n := &x.maker, min(chunkItems, col.places-at*chunkItems)
	made := &valueVectors{of: col.chunks[at], rows: make([]uint16, n*sp.Width)}
	x.each(n, sp, &made.weights, func(r *model.Replica, i int) {
		m.encoded = m.encoded[:0]
		if at > 0 || i > 0 {
			m.encoded = features.EncodeValue(m.encoded, col.hash, &made.of.of[i])
		}
		r.ValueVector(made.rows[i*sp.Width:][:sp.Width], sp, m.encoded, m.scratch)
		r.AppendTokens(&made.tokens, m.encoded, m.scratch)
	}, func(int, int) {})
	return made
}

// makeItems makes the vectors of a chunk of items, with the profiles that they have now.
func (x *Vectors) makeItems(ctx context.Context, v *View, at int, sp *model.Space) *itemVectors {
	m, width := &x.maker, sp.ItemWidth()
	n := min(chunkItems, v.slots-at*chunkItems)
	made := &itemVectors{of: v.chunks[at], rows: make([]uint16, n*width)}
	x.each(n, sp, &made.weights, func(r *model.Replica, i int) {
		m.encoded = m.encoded[:0]
		if made.of.ids[i] != "" {
			q := x.request(v, Slot(at*chunkItems+i))
			m.facts = x.Set.Assemble(m.facts[:0], &q, m.profiles)
			m.encoded = features.Encode(m.encoded, m.facts)
		}
		r.ItemVector(made.rows[i*width:][:width], sp, m.encoded, adField, m.scratch)
		ad := slices.IndexFunc(m.encoded, func(f model.Feature) bool { return f.Field == adField })
		if ad < 0 {
			r.AppendTokens(&made.tokens, nil, m.scratch)
		} else {
			r.AppendTokens(&made.tokens, m.encoded[ad:ad+1], m.scratch)
		}
	}, func(from, to int) { x.readProfiles(ctx, v, at*chunkItems+from, at*chunkItems+to) })
	return made
}

// request is what the features of an item by itself are made of.
func (x *Vectors) request(v *View, s Slot) features.Request {
	x.maker.fields = v.AppendFields(x.maker.fields[:0], s)
	return features.Request{Time: x.Now(), Ad: v.ID(s), Campaign: v.Campaign(s), Candidate: x.maker.fields}
}

// each calls fn for 0 to n-1, encodeAtOnce with the same weights, and before those ready. It sets
// weights to the oldest of them. Weights that do not fit the space end it: the vectors are of no
// use then, and another generation is made.
func (x *Vectors) each(n int, sp *model.Space, weights *int64, fn func(*model.Replica, int), ready func(from, to int)) {
	if x.maker.scratch == nil {
		x.maker.scratch = &model.Scratch{}
	}
	for from := 0; from < n; from += encodeAtOnce {
		to, fits := min(from+encodeAtOnce, n), false
		ready(from, to)
		x.Weights(func(r *model.Replica) {
			if fits = r.Fits(sp); !fits {
				return
			}
			if from == 0 {
				*weights = r.Examples()
			}
			for i := from; i < to; i++ {
				fn(r, i)
			}
		})
		if !fits {
			return
		}
	}
}

// readProfiles reads the profiles of some items. Without them, vectors are made as if profiles
// could not be read.
func (x *Vectors) readProfiles(ctx context.Context, v *View, from, to int) {
	m := &x.maker
	m.keys, m.profiles = m.keys[:0], nil
	for s := Slot(from); s < Slot(to); s++ {
		if v.ID(s) != "" {
			q := x.request(v, s)
			m.keys = x.Set.Keys(m.keys, &q)
		}
	}
	if len(m.keys) == 0 {
		return
	}
	slices.Sort(m.keys)
	m.keys = slices.Compact(m.keys)
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	m.profiles, _ = x.Store.Read(ctx, m.keys)
}
