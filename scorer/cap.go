package scorer

import (
	"math/rand/v2"
	"slices"

	"github.com/clickloop/clickloop/event"
)

// Cap bounds how many of the chosen candidates may have the same value of a field, for diversity.
// The field is ad, campaign, or one of the candidate's own context; of a list each token counts. A
// candidate without the field is not capped.
//
// Candidates are taken in the order of the ranking, and one that would exceed a cap is passed over,
// until Request.Choose are chosen or no more are left.
type Cap struct {
	Field string
	Most  int // at least 1
}

// maxCaps is how many caps a request may have.
const maxCaps = 8

// binds says whether the caps of q can make a difference: the first place is free for any
// candidate.
func (q *Request) binds() bool { return len(q.Caps) > 0 && q.Choose > 1 }

// capping is the memory for a choice under caps. A group is a value of a capped field.
type capping struct {
	k      int
	ids    map[fingerprint]int32 // of groups
	most   []int32               // by group: how many may be chosen
	taken  []int32               // by group: how many are
	last   []int                 // by group: the index of the newest candidate in it
	groups []int32               // of all candidates, one after another
	ends   []int                 // by index of the candidate
	chosen []int                 // ranks of those that are taken
	best   []int                 // ranks of those that are taken without exploration
	isBest []bool                // by rank
	inBest []groupCount          // by group: of the best
	counts []int                 // by rank
	ranked []Scored              // before the choice
}

// groupCount is how many of the chosen are in a group, and the rank of the last of them.
type groupCount struct {
	n    int32
	last int
}

// prepare finds the groups of the candidates of q.
func (c *capping) prepare(q *Request) {
	c.k = q.Choose
	c.most, c.last, c.groups, c.ends = c.most[:0], c.last[:0], c.groups[:0], c.ends[:0]
	if clear(c.ids); c.ids == nil {
		c.ids = map[fingerprint]int32{}
	}
	for i := range q.Candidates {
		for j := range q.Caps {
			if q.Caps[j].Most < c.k {
				c.addGroups(&q.Candidates[i], &q.Caps[j], fingerprint(j), i)
			}
		}
		c.ends = append(c.ends, len(c.groups))
	}
	c.taken = slices.Grow(c.taken[:0], len(c.most))[:len(c.most)]
	clear(c.taken)
}

func (c *capping) addGroups(candidate *Candidate, limit *Cap, cap fingerprint, index int) {
	value := event.Value{Kind: event.String}
	switch limit.Field {
	case "ad":
		value.Str = candidate.Ad
	case "campaign":
		if value.Str = candidate.Campaign; value.Str == "" {
			return
		}
	default:
		value, _ = candidate.Context.Lookup(limit.Field)
	}
	switch value.Kind {
	case event.Null:
	case event.List:
		for _, t := range value.List {
			c.addGroup(cap.text(t.Token), limit.Most, index)
		}
	default:
		c.addGroup(cap.value(&value), limit.Most, index)
	}
}

// addGroup adds a group to the candidate of an index, once.
func (c *capping) addGroup(key fingerprint, most, index int) {
	id, ok := c.ids[key]
	if !ok {
		id = int32(len(c.most))
		c.ids[key], c.most, c.last = id, append(c.most, int32(most)), append(c.last, -1)
	}
	if c.last[id] != index {
		c.groups, c.last[id] = append(c.groups, id), index
	}
}

// groupsOf are the groups of the candidate of an index.
func (c *capping) groupsOf(index int) []int32 {
	from := 0
	if index > 0 {
		from = c.ends[index-1]
	}
	return c.groups[from:c.ends[index]]
}

// walk sets c.chosen: the rank first, unless it is negative, and behind it the best of the others,
// as far as the caps allow.
func (c *capping) walk(ranked []Scored, first int) {
	c.chosen = c.chosen[:0]
	if first >= 0 {
		c.take(ranked, first)
	}
	for rank := range ranked {
		if len(c.chosen) == c.k {
			break
		}
		if rank != first {
			c.take(ranked, rank)
		}
	}
	for _, rank := range c.chosen {
		for _, g := range c.groupsOf(ranked[rank].Index) {
			c.taken[g] = 0
		}
	}
}

// take takes the candidate of a rank if the caps allow it.
func (c *capping) take(ranked []Scored, rank int) {
	groups := c.groupsOf(ranked[rank].Index)
	for _, g := range groups {
		if c.taken[g] == c.most[g] {
			return
		}
	}
	for _, g := range groups {
		c.taken[g]++
	}
	c.chosen = append(c.chosen, rank)
}

// arrange puts the chosen ones in front, in their order, and returns how many they are. The others
// keep theirs.
func (c *capping) arrange(ranked []Scored) int {
	c.ranked = append(c.ranked[:0], ranked...)
	for i, rank := range c.chosen {
		ranked[i] = c.ranked[rank]
	}
	slices.Sort(c.chosen)
	at, next := len(c.chosen), 0
	for rank := range c.ranked {
		if next < len(c.chosen) && c.chosen[next] == rank {
			next++
			continue
		}
		ranked[at] = c.ranked[rank]
		at++
	}
	return len(c.chosen)
}

// chooseBest is the greedy policy under caps.
func (c *capping) chooseBest(ranked []Scored) int {
	c.walk(ranked, -1)
	for i := range ranked {
		ranked[i].Propensity = 0
	}
	for _, rank := range c.chosen {
		ranked[rank].Propensity = 1
	}
	return c.arrange(ranked)
}

// explore is the policy epsilon under caps: with the probability share the first place goes to any
// candidate, each with the same probability, and the places behind it to the best of the others
// that the caps allow then. A propensity counts the first places with which the candidate is
// chosen, so it is exact.
func (c *capping) explore(ranked []Scored, share float64, random *rand.Rand) int {
	n := len(ranked)
	c.count(ranked)
	c.walk(ranked, -1)
	for rank := range ranked {
		ranked[rank].Propensity = share * float64(c.counts[rank]) / float64(n)
	}
	for _, rank := range c.chosen {
		ranked[rank].Propensity = min(ranked[rank].Propensity+1-share, 1)
	}
	if random.Float64() < share {
		c.walk(ranked, random.IntN(n))
	}
	return c.arrange(ranked)
}

// count sets c.counts: with how many first places the candidate of each rank is chosen.
//
// A first place for one of the best changes nothing: what the caps allow together they still do, and
// nothing that was passed over fits better. Any other one pushes the last of the best out, or the
// last one in its group where that is full. Only where a candidate is in several groups there may be
// more to it, and the choice is made to see.
func (c *capping) count(ranked []Scored) {
	n := len(ranked)
	c.counts = slices.Grow(c.counts[:0], n)[:n]
	clear(c.counts)
	c.walk(ranked, -1)
	c.setBest(ranked)
	pushed := 0 // first places that push one of the best out, and no other
	for first := range ranked {
		if c.isBest[first] {
			continue
		}
		out, known := c.pushedOut(ranked, first)
		if known {
			pushed++
			c.counts[first]++
			c.counts[out]--
			continue
		}
		c.walk(ranked, first)
		for _, rank := range c.chosen {
			c.counts[rank]++
		}
	}
	for _, rank := range c.best {
		c.counts[rank] += len(c.best) + pushed
	}
}

// setBest keeps what was chosen: by rank, and for each group how many and the last one.
func (c *capping) setBest(ranked []Scored) {
	c.best = append(c.best[:0], c.chosen...)
	c.isBest = slices.Grow(c.isBest[:0], len(ranked))[:len(ranked)]
	clear(c.isBest)
	c.inBest = slices.Grow(c.inBest[:0], len(c.most))[:len(c.most)]
	clear(c.inBest)
	for _, rank := range c.best {
		c.isBest[rank] = true
		for _, g := range c.groupsOf(ranked[rank].Index) {
			c.inBest[g].n++
			c.inBest[g].last = rank
		}
	}
}

// pushedOut is the rank of the one that is not chosen when the first place goes to another than the
// best, if it is the only one and nobody else takes its place.
func (c *capping) pushedOut(ranked []Scored, first int) (rank int, known bool) {
	full := 0
	rank = c.best[len(c.best)-1]
	for _, g := range c.groupsOf(ranked[first].Index) {
		if c.inBest[g].n == c.most[g] {
			full++
			rank = c.inBest[g].last
		}
	}
	return rank, full == 0 || full == 1 && len(c.groupsOf(ranked[rank].Index)) == 1
}
