package features

import (
	"sync"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// Names of the features that a candidate's ids become.
const (
	featureAd       = "ad"
	featureCampaign = "campaign"
)

// Request is what Assemble and Keys need to know of one candidate of a score request.
type Request struct {
	Time      event.Time
	User      string
	Anonymous string
	Ad        string
	Campaign  string
	Context   event.Fields // of the request
	Candidate event.Fields // of the candidate; wins over Context
}

// Assemble appends r's named raw values to dst, in a fixed order: context, ad and campaign,
// aggregates as of r.Time, crosses. The package comment says more. profiles is what Read returned
// for the keys of r: a key that it lacks is an entity that was never seen, and a nil map means that
// profiles could not be read. The names in the result are unique if those of each context are.
func (s *Set) Assemble(dst event.Fields, r *Request, profiles map[string]Profile) event.Fields {
	from := len(dst)
	dst = s.appendContext(dst, r)
	if r.Ad != "" && !s.context.drops(featureAd) {
		dst = append(dst, event.Field{Name: featureAd, Value: text(r.Ad)})
	}
	if r.Campaign != "" && !s.context.drops(featureCampaign) {
		dst = append(dst, event.Field{Name: featureCampaign, Value: text(r.Campaign)})
	}
	dst = s.appendAggregates(dst, r, profiles)
	for i := range s.crosses {
		if v, ok := s.crosses[i].of(dst[from:]); ok {
			dst = append(dst, event.Field{Name: s.crosses[i].name, Value: v})
		}
	}
	return dst
}

func (s *Set) appendContext(dst event.Fields, r *Request) event.Fields {
	for i := range r.Context {
		f := r.Context[i]
		if !s.takes(f.Name, r) {
			continue
		}
		if v, ok := r.Candidate.Lookup(f.Name); ok {
			f.Value = v
		}
		dst = append(dst, f)
	}
	for i := range r.Candidate {
		f := r.Candidate[i]
		if _, ok := r.Context.Lookup(f.Name); ok || !s.takes(f.Name, r) {
			continue
		}
		dst = append(dst, f)
	}
	return dst
}

// takes says whether a field of the context becomes a feature: it is selected, and no other feature
// has its name.
func (s *Set) takes(name string, r *Request) bool {
	return s.context.takes(name) && !s.reserved[name] && (name != featureAd || r.Ad == "") && (name != featureCampaign || r.Campaign == "")
}

// readings are the scratch memory of calls of Assemble.
var readings = sync.Pool{New: func() any { return new(reading) }}

// appendAggregates tallies the series of all entities before it reads the features one by one.
func (s *Set) appendAggregates(dst event.Fields, r *Request, profiles map[string]Profile) event.Fields {
	if len(s.features) == 0 {
		return dst
	}
	reading := readings.Get().(*reading)
	defer readings.Put(reading)
	reading.reset(r.Time, s.tallies)

	var fixed [8]string
	keys := fixed[:0]
	for i := range s.entities {
		key := s.entities[i].key(r)
		keys = append(keys, key)
		if key != "" {
			reading.tallySeries(s.entities[i].counters, profiles[key])
		}
	}
	for i := range s.features {
		f := &s.features[i]
		key := keys[f.entity]
		if key == "" {
			continue
		}
		field := event.Field{Name: f.name}
		if p := profiles[key]; profiles != nil && !p.unknown {
			reading.fields = p.Fields
			field.Value = f.value(reading)
		}
		dst = append(dst, field)
	}
	reading.fields = nil
	return dst
}

// cross is a pair or triple of features as one token.
type cross struct {
	name  string
	parts []string
}

// of joins the texts of the parts. It is false when a part is missing, null or a list: then there
// is nothing to cross.
func (c *cross) of(f event.Fields) (event.Value, bool) {
	joined, ok := c.appendOf(nil, f, nil)
	if !ok {
		return event.Value{}, false
	}
	return event.Value{Kind: event.String, Str: string(joined)}, true
}

// appendOf appends what of returns. Parts are looked up in f, then in others.
func (c *cross) appendOf(dst []byte, f, others event.Fields) ([]byte, bool) {
	for i, part := range c.parts {
		v, ok := f.Lookup(part)
		if !ok {
			v, ok = others.Lookup(part)
		}
		if !ok || v.Kind != event.String && v.Kind != event.Number {
			return dst, false
		}
		if i > 0 {
			dst = append(dst, '*')
		}
		dst = appendCrossPart(dst, &v)
	}
	return dst, true
}

// appendCrossPart appends the escaped text of a String or Number.
func appendCrossPart(dst []byte, v *event.Value) []byte {
	if v.Kind == event.Number {
		return strictjson.AppendNumber(dst, v.Num) // without a character that is escaped
	}
	return append(dst, crossPart(v.Str)...)
}
