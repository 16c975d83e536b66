package scorer

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/web"
)

// warnOfRepeats warns of candidates that have the ad and the campaign of an earlier one. Both are
// scored, since their contexts may differ, but most likely the caller has joined a list twice. Of
// many such candidates it names the first.
func (x *exchange) warnOfRepeats(l *line, q *Request) {
	n := len(q.Candidates)
	if n < 2 {
		return
	}
	size := 1 << bits.Len(uint(2*n)) // a table that is half full at most
	x.places = slices.Grow(x.places[:0], size)[:size]
	clear(x.places)
	repeats, first, second := 0, 0, 0
	for i := range q.Candidates {
		c := &q.Candidates[i]
		at := int(xxhash.Sum64String(c.Ad)+3*xxhash.Sum64String(c.Campaign)) & (size - 1)
		for x.places[at] != 0 && !q.Candidates[x.places[at]-1].names(c) {
			at = (at + 1) & (size - 1)
		}
		if x.places[at] == 0 {
			x.places[at] = int32(i + 1)
			continue
		}
		if repeats++; repeats == 1 {
			first, second = int(x.places[at]-1), i
		}
	}
	if repeats > 0 {
		l.noteRepeats(q, repeats, first, second)
	}
}

// names says whether both are of the same ad and campaign.
func (c *Candidate) names(o *Candidate) bool { return c.Ad == o.Ad && c.Campaign == o.Campaign }

func (l *line) noteRepeats(q *Request, repeats, first, second int) {
	field := fmt.Sprintf("candidates[%d]", second)
	text := fmt.Sprintf("%s has the ad %s and the campaign of candidates[%d]. Both are scored.", field, q.Candidates[second].Ad, first)
	if repeats > 1 {
		text += fmt.Sprintf(" %d candidates repeat an earlier one.", repeats)
	}
	l.notes = append(l.notes, web.Warning{Field: field, Message: text})
}

// warnOfCaps warns of caps on a field that no candidate has.
func (l *line) warnOfCaps(q *Request) {
	for i := range q.Caps {
		name := q.Caps[i].Field
		has := name == "ad" || slices.ContainsFunc(q.Candidates, func(c Candidate) bool {
			_, ok := c.Context.Lookup(name)
			return ok || name == "campaign" && c.Campaign != ""
		})
		if has {
			continue
		}
		known := []string{"ad", "campaign"}
		for _, f := range q.Candidates[0].Context {
			known = append(known, f.Name)
		}
		near := event.Nearest(name, known)
		text := "cap is on the field " + clip(name) + ", which no candidate has, so it caps nothing."
		if near != "" {
			text += " Did you mean " + near + "?"
		}
		l.notes = append(l.notes, web.Warning{Field: "cap", Message: text, Nearest: near})
	}
}
