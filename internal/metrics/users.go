package metrics

import (
	"math"
	"math/bits"
)

// maxOfUser is how many examples of a user count; those that come later do not.
const maxOfUser = 32

// users counts pairs within users. When it keeps too many examples it drops half of the users, by a
// bit of their hash, and takes no more of them: what it measures then is a sample of users that
// does not depend on their order.
type users struct {
	most     int
	halvings uint8
	users    []user  // as they came
	slots    []int32 // 2^n of them: a hash table with open addressing of places in users, from 1
	examples []ofUser
}

// user is one user, with the weights of its examples.
type user struct {
	hash               uint64
	positive, negative float64
	pairs              float64 // of a positive and a lower negative
	last               int32   // of its examples, from 1
	n                  int32
}

// ofUser is an example of a user.
type ofUser struct {
	score
	before int32 // the one before it of the same user, from 1
}

func newUsers(most int) *users { return &users{most: most} }

// sampled says whether a user is among those that are measured.
func (u *users) sampled(hash uint64) bool { return bits.LeadingZeros64(mix(hash)) >= int(u.halvings) }

func (u *users) add(hash uint64, p, positive, negative float64) {
	if hash == 0 || !u.sampled(hash) {
		return
	}
	for len(u.examples)+2 > u.most {
		if u.halve(); !u.sampled(hash) {
			return
		}
	}
	o := u.of(hash)
	if o.n >= maxOfUser {
		return
	}
	o.n++
	if positive != 0 {
		u.pair(o, score{p, positive})
	}
	if negative != 0 {
		u.pair(o, score{p, -negative})
	}
}

// pair counts the pairs of an example with the earlier ones of its user.
func (u *users) pair(o *user, s score) {
	for i := o.last; i != 0; {
		e := &u.examples[i-1]
		i = e.before
		switch {
		case s.w > 0 && e.w < 0:
			o.pairs -= s.w * e.w * above(s.p, e.p)
		case s.w < 0 && e.w > 0:
			o.pairs -= s.w * e.w * above(e.p, s.p)
		}
	}
	if s.w > 0 {
		o.positive += s.w
	} else {
		o.negative -= s.w
	}
	u.examples = append(u.examples, ofUser{s, o.last})
	o.last = int32(len(u.examples))
}

// above is 1, for equal scores 1/2, else 0.
func above(p, q float64) float64 {
	switch {
	case p > q:
		return 1
	case p == q:
		return 0.5
	}
	return 0
}

// of returns a user, valid until the next call.
func (u *users) of(hash uint64) *user {
	if 4*len(u.users) >= 3*len(u.slots) {
		u.slots = make([]int32, max(16, 2*len(u.slots)))
		for i := range u.users {
			*u.slot(u.users[i].hash) = int32(i + 1)
		}
	}
	at := u.slot(hash)
	if *at == 0 {
		u.users = append(u.users, user{hash: hash})
		*at = int32(len(u.users))
	}
	return &u.users[*at-1]
}

// slot returns the slot of a user, or the free one where it belongs.
func (u *users) slot(hash uint64) *int32 {
	for i := mix(hash); ; i++ {
		at := &u.slots[i&uint64(len(u.slots)-1)]
		if *at == 0 || u.users[*at-1].hash == hash {
			return at
		}
	}
}

// halve drops about half of the users.
func (u *users) halve() {
	old, examples := u.users, u.examples
	u.users, u.examples = make([]user, 0, len(old)), make([]ofUser, 0, len(examples))
	clear(u.slots)
	u.halvings++
	for i := range old {
		if !u.sampled(old[i].hash) {
			continue
		}
		o := u.of(old[i].hash)
		*o = old[i]
		o.last = 0
		for k := old[i].last; k != 0; k = examples[k-1].before {
			u.examples = append(u.examples, ofUser{examples[k-1].score, o.last})
			o.last = int32(len(u.examples))
		}
	}
}

// gauc returns the mean of the AUC within users, by their weights, and how many users it is made
// of: those with examples of both classes.
func (u *users) gauc() (mean float64, n int) {
	if u == nil {
		return math.NaN(), 0
	}
	var sum, weight float64
	for i := range u.users {
		if o := &u.users[i]; o.positive > 0 && o.negative > 0 {
			w := o.positive + o.negative
			sum += w * o.pairs / (o.positive * o.negative)
			weight += w
			n++
		}
	}
	return sum / weight, n
}
