package features

import (
	"unsafe"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

// Shared is the facts about a request's candidates, split in two: what all candidates have in
// common is assembled and encoded once, by Set.Share, and what is a candidate's own by Own. Joined
// they are what Assemble and Encode make of the candidate.
//
// A candidate's own are its ad and campaign, the fields of its context, the fields of the request's
// context that some candidate gives as well, the aggregates of entities that it names, and crosses
// of any of these.
//
// The zero Shared is ready for use, and keeps its memory from one request to the next. It serves
// one goroutine at a time.
type Shared struct {
	// Encoded are the network's inputs that all candidates have in common. They are valid until the
	// next Share.
	Encoded []model.Feature

	set      *Set
	profiles map[string]Profile
	fields   event.Fields // of which Encoded is made
	starts   []int32      // where each begins in Encoded, and where the last ends

	given    []bool // by field of the request's context: some candidate gives it
	watched  []bool // by number in Set.watched: likewise
	ownCross []bool // by cross: it is a candidate's own
	slots    []slot // of what is a candidate's own, in the order of Assemble
	memo     []candidateField
	reading  reading
	key      []byte

	own candidateFacts // of the last candidate
}

// slot is a place among the shared facts where candidates have their own.
type slot struct {
	kind  slotKind
	index int   // of the field, feature or cross
	after int32 // how many shared facts stand before it
}

type slotKind int

const (
	slotContext   slotKind = iota // a field of the request's context, which a candidate may override
	slotCandidate                 // the rest of the candidate's context, its ad and its campaign
	slotAggregate
	slotCross
)

// candidateField is what is known of the field in one place of candidates' contexts. Candidates
// mostly have the same fields in the same order.
type candidateField struct {
	name      string
	inContext int  // its place in the request's context, -1 without
	watched   int  // its number in Set.watched, -1 without
	taken     bool // it is selected, and no other feature has its name
}

// candidateFacts are a candidate's own facts.
type candidateFacts struct {
	fields  event.Fields
	places  []int32 // of each: the shared facts before it
	encoded []model.Feature
	after   []int32 // of each of encoded: the shared inputs before it
	text    []byte  // of crosses
}

func (o *candidateFacts) add(f event.Field, after int32) {
	o.fields, o.places = append(o.fields, f), append(o.places, after)
}

// Share assembles and encodes in sh what the n candidates of a request have in common. r names the
// request: its ad, campaign and candidate do not matter. context returns the context of a
// candidate. profiles are as for Assemble.
func (s *Set) Share(sh *Shared, r *Request, profiles map[string]Profile, n int, context func(i int) event.Fields) {
	sh.set, sh.profiles = s, profiles
	sh.given, sh.watched = zeros(sh.given, len(r.Context)), zeros(sh.watched, len(s.watched))
	sh.memo, sh.slots, sh.fields = sh.memo[:0], sh.slots[:0], sh.fields[:0]
	for i := range n {
		fields := context(i)
		for k := range fields {
			f := sh.candidateField(k, fields[k].Name, r.Context)
			if f.inContext >= 0 {
				sh.given[f.inContext] = true
			}
			if f.watched >= 0 {
				sh.watched[f.watched] = true
			}
		}
	}
	sh.shareContext(r)
	sh.shareAggregates(r)
	sh.shareCrosses()
	sh.encode()
}

// zeros are n values that are false.
func zeros(v []bool, n int) []bool {
	if cap(v) < n {
		return make([]bool, n)
	}
	v = v[:n]
	clear(v)
	return v
}

// candidateField returns what is known of a candidate's field, the k-th of its context.
func (sh *Shared) candidateField(k int, name string, context event.Fields) *candidateField {
	for len(sh.memo) <= k {
		sh.memo = append(sh.memo, candidateField{name: "\x00"})
	}
	f := &sh.memo[k]
	if f.name == name {
		return f
	}
	*f = candidateField{name: name, inContext: -1, watched: -1, taken: sh.set.context.takes(name) && !sh.set.reserved[name]}
	for i := range context {
		if context[i].Name == name {
			f.inContext = i
			break
		}
	}
	if i, ok := sh.set.watched[name]; ok {
		f.watched = i
	}
	return f
}

func (sh *Shared) addSlot(kind slotKind, index int) {
	sh.slots = append(sh.slots, slot{kind, index, int32(len(sh.fields))})
}

func (sh *Shared) shareContext(r *Request) {
	for i := range r.Context {
		name := r.Context[i].Name
		switch {
		case !sh.set.context.takes(name) || sh.set.reserved[name]:
		case sh.given[i] || name == featureAd || name == featureCampaign: // an ad takes the name from the context
			sh.addSlot(slotContext, i)
		default:
			sh.fields = append(sh.fields, r.Context[i])
		}
	}
	sh.addSlot(slotCandidate, 0)
}

// shareAggregates reads the aggregates of the entities that the request names.
func (sh *Shared) shareAggregates(r *Request) {
	s := sh.set
	sh.reading.reset(r.Time, s.tallies)
	for i := range s.entities {
		if !sh.isOwnEntity(i) {
			sh.tally(i, r)
		}
	}
	for i := range s.features {
		f := &s.features[i]
		if sh.isOwnEntity(f.entity) {
			sh.addSlot(slotAggregate, i)
		} else if field, ok := sh.aggregate(f, r); ok {
			sh.fields = append(sh.fields, field)
		}
	}
	sh.reading.fields = nil
}

// isOwnEntity says whether each candidate may name another profile of the entity.
func (sh *Shared) isOwnEntity(i int) bool {
	switch e := &sh.set.entities[i]; e.name {
	case entityUser:
		return false
	case entityAd, entityCampaign, entityUserCampaign:
		return true
	default:
		return sh.watched[sh.set.watched[e.context]]
	}
}

// tally tallies the series of an entity of r.
func (sh *Shared) tally(entity int, r *Request) {
	e := &sh.set.entities[entity]
	if sh.key = e.appendKey(sh.key[:0], r); len(sh.key) > 0 {
		sh.reading.tallySeries(e.counters, sh.profiles[string(sh.key)])
	}
}

// aggregate follows tally. It is false when r does not name the entity.
func (sh *Shared) aggregate(f *feature, r *Request) (event.Field, bool) {
	field := event.Field{Name: f.name}
	if sh.key = sh.set.entities[f.entity].appendKey(sh.key[:0], r); len(sh.key) == 0 {
		return field, false
	}
	if p := sh.profiles[string(sh.key)]; sh.profiles != nil && !p.unknown {
		sh.reading.fields = p.Fields
		field.Value = f.value(&sh.reading)
	}
	return field, true
}

// shareCrosses makes the crosses of shared facts.
func (sh *Shared) shareCrosses() {
	s := sh.set
	sh.ownCross = zeros(sh.ownCross, len(s.crosses))
	for i := range s.crosses {
		c := &s.crosses[i]
		for _, part := range c.parts {
			sh.ownCross[i] = sh.ownCross[i] || sh.isOwn(part)
		}
		if sh.ownCross[i] {
			sh.addSlot(slotCross, i)
		} else if v, ok := c.of(sh.fields); ok {
			sh.fields = append(sh.fields, event.Field{Name: c.name, Value: v})
		}
	}
}

// isOwn says whether a part of a cross may be a candidate's own.
func (sh *Shared) isOwn(part string) bool {
	s := sh.set
	if part == featureAd || part == featureCampaign || sh.watched[s.watched[part]] {
		return true
	}
	for _, slot := range sh.slots {
		if slot.kind == slotAggregate && s.features[slot.index].name == part || slot.kind == slotCross && s.crosses[slot.index].name == part {
			return true
		}
	}
	return false
}

// encode encodes the shared facts.
func (sh *Shared) encode() {
	sh.Encoded, sh.starts = sh.Encoded[:0], sh.starts[:0]
	for i := range sh.fields {
		sh.starts = append(sh.starts, int32(len(sh.Encoded)))
		sh.Encoded = EncodeValue(sh.Encoded, model.FieldHash(sh.fields[i].Name), &sh.fields[i].Value)
	}
	sh.starts = append(sh.starts, int32(len(sh.Encoded)))
}

// Own returns the network's inputs that are a candidate's own: x[i] stands behind the first
// after[i] of Encoded. r names the candidate; the rest of it is that of Share. What is returned is
// valid until the next call. Own allocates nothing once sh has grown.
func (sh *Shared) Own(r *Request) (x []model.Feature, after []int32) {
	o := &sh.own
	o.fields, o.places, o.encoded, o.after, o.text = o.fields[:0], o.places[:0], o.encoded[:0], o.after[:0], o.text[:0]
	sh.tallyOwn(r)
	for i := range sh.slots {
		switch t := &sh.slots[i]; t.kind {
		case slotContext:
			sh.ownContext(&r.Context[t.index], t.after, r)
		case slotCandidate:
			sh.ownCandidate(t.after, r)
		case slotAggregate:
			if field, ok := sh.aggregate(&sh.set.features[t.index], r); ok {
				o.add(field, t.after)
			}
		case slotCross:
			sh.ownCrossOf(&sh.set.crosses[t.index], t.after)
		}
	}
	sh.reading.fields = nil
	for i := range o.fields {
		o.encoded = EncodeValue(o.encoded, model.FieldHash(o.fields[i].Name), &o.fields[i].Value)
		for len(o.after) < len(o.encoded) {
			o.after = append(o.after, sh.starts[o.places[i]])
		}
	}
	return o.encoded, o.after
}

// tallyOwn tallies the series of the entities that the candidate names.
func (sh *Shared) tallyOwn(r *Request) {
	sh.reading.reset(r.Time, sh.set.tallies)
	for i := range sh.set.entities {
		if sh.isOwnEntity(i) {
			sh.tally(i, r)
		}
	}
}

// ownContext adds a field of the request's context that is the candidate's own.
func (sh *Shared) ownContext(f *event.Field, after int32, r *Request) {
	if !sh.set.takes(f.Name, r) {
		return
	}
	v, ok := r.Candidate.Lookup(f.Name)
	if !ok {
		v = f.Value
	}
	sh.own.add(event.Field{Name: f.Name, Value: v}, after)
}

// ownCandidate adds the rest of the candidate's context, its ad and its campaign.
func (sh *Shared) ownCandidate(after int32, r *Request) {
	for k := range r.Candidate {
		f := &r.Candidate[k]
		m := sh.candidateField(k, f.Name, r.Context)
		if m.inContext < 0 && m.taken && sh.set.takes(f.Name, r) {
			sh.own.add(*f, after)
		}
	}
	if r.Ad != "" && !sh.set.context.drops(featureAd) {
		sh.own.add(event.Field{Name: featureAd, Value: text(r.Ad)}, after)
	}
	if r.Campaign != "" && !sh.set.context.drops(featureCampaign) {
		sh.own.add(event.Field{Name: featureCampaign, Value: text(r.Campaign)}, after)
	}
}

// ownCrossOf adds a cross, whose text it keeps until the next candidate.
func (sh *Shared) ownCrossOf(c *cross, after int32) {
	o := &sh.own
	from := len(o.text)
	joined, ok := c.appendOf(o.text, o.fields, sh.fields)
	o.text = joined
	if !ok {
		o.text = o.text[:from]
		return
	}
	v := event.Value{Kind: event.String, Str: unsafe.String(unsafe.SliceData(joined[from:]), len(joined)-from)}
	o.add(event.Field{Name: c.name, Value: v}, after)
}
