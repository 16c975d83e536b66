package features

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// entity is a kind of thing that has profiles, such as users.
type entity struct {
	name     string                // as in the configuration
	context  string                // name of the context field, for context.NAME
	counters map[string][]*counter // over the series of its profiles, by the series' names
}

// Entities other than context.NAME.
const (
	entityUser         = "user"
	entityAd           = "ad"
	entityCampaign     = "campaign"
	entityUserCampaign = "user*campaign"
	contextPrefix      = "context."
)

func newEntity(name string) (entity, error) {
	switch name {
	case entityUser, entityAd, entityCampaign, entityUserCampaign:
		return entity{name: name}, nil
	}
	if field, ok := strings.CutPrefix(name, contextPrefix); ok && field != "" && !strings.Contains(field, ":") {
		return entity{name: name, context: field}, nil
	}
	return entity{}, fmt.Errorf("is %q; expected user, ad, campaign, user*campaign or context.NAME", name)
}

// entityIndex adds an entity unless the set has it already.
func (s *Set) entityIndex(e entity) int {
	i := slices.IndexFunc(s.entities, func(other entity) bool { return other.name == e.name })
	if i < 0 {
		i = len(s.entities)
		e.counters = map[string][]*counter{}
		s.entities = append(s.entities, e)
	}
	return i
}

// key returns the key of r's profile, such as user:u1; empty when r does not name the entity.
func (e *entity) key(r *Request) string {
	var room [160]byte
	return string(e.appendKey(room[:0], r))
}

// appendKey appends key to dst, which is empty.
func (e *entity) appendKey(dst []byte, r *Request) []byte {
	id := ""
	switch e.name {
	case entityUser:
		id = userOf(r)
	case entityAd:
		id = r.Ad
	case entityCampaign:
		id = r.Campaign
	case entityUserCampaign:
		if user := userOf(r); user != "" && r.Campaign != "" {
			dst = append(append(dst, e.name...), ':')
			return append(append(append(dst, crossPart(user)...), '*'), crossPart(r.Campaign)...)
		}
	default:
		v, ok := r.Candidate.Lookup(e.context)
		if !ok {
			v, _ = r.Context.Lookup(e.context)
		}
		if v.Kind == event.Number {
			return strictjson.AppendNumber(append(append(dst, e.name...), ':'), v.Num)
		}
		id = v.Text()
	}
	if id == "" {
		return dst
	}
	return append(append(append(dst, e.name...), ':'), id...)
}

func userOf(r *Request) string {
	if r.User != "" {
		return r.User
	}
	return r.Anonymous
}

// crossPart escapes a value, so that values joined by * can be told apart.
func crossPart(s string) string {
	if strings.IndexByte(s, '*') < 0 && strings.IndexByte(s, '%') < 0 {
		return s
	}
	return strings.NewReplacer("%", "%25", "*", "%2A").Replace(s)
}

// Keys appends the keys of the profiles that r needs, each once. An entity that r does not name has
// none.
func (s *Set) Keys(dst []string, r *Request) []string {
	for i := range s.entities {
		if key := s.entities[i].key(r); key != "" {
			dst = append(dst, key)
		}
	}
	return dst
}

// requestOf is the part of an event that names entities.
func requestOf(e *event.Event) Request {
	return Request{User: e.User, Anonymous: e.Anonymous, Ad: e.Ad, Campaign: e.Campaign, Context: e.Context}
}
