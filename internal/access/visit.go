package access

import (
	"io"
	"net/http"
	"time"
)

// Visit is a call that a Gate has let in. It reads the body of its request, and charges the client
// and the address for what comes. A nil Visit is free. One goroutine uses a Visit.
type Visit struct {
	io.ReadCloser // the body

	gate      *Gate
	scope     Scope
	limited   bool
	client    *client  // nil: none is known
	address   *account // nil: calls of the scope are not limited by address
	taken     amounts
	announced float64 // bytes of the body, by the header
	refused   bool
}

// Enter lets a call in, or returns a *Refused. The Visit wants its End in any case. It takes one
// event; bytes are taken as they are read from r, whose body becomes the Visit. A call that is not
// limited, as those of a replay, needs its key and nothing else.
//
// A key outside of the header is given by Present. Known tells whether a key is missing.
func (g *Gate) Enter(r *http.Request, s Scope, limited bool) (*Visit, error) {
	if g == nil {
		return nil, nil
	}
	v := &Visit{ReadCloser: r.Body, gate: g, scope: s, announced: float64(max(r.ContentLength, 0))}
	if key, has := credential(r, s); has && g.needs[s] {
		if err := v.identify(key); err != nil {
			return v, err
		}
	}
	if !limited || v.client == g.self {
		return v, nil
	}
	if v.limited = true; s != Admin {
		v.address = g.table.of(g.clientAddress(r), s)
	}
	if err := v.take(amounts{inEvents: 1, inBytes: v.announced}, amounts{inEvents: 1}); err != nil {
		return v, err
	}
	r.Body = v
	return v, nil
}

// Present gives the key that a request brings in its query or its body. It changes nothing when a
// key was seen before, when the key is empty, and when calls of the scope need none.
func (v *Visit) Present(key string) error {
	if v == nil || v.client != nil || key == "" || !v.gate.needs[v.scope] {
		return nil
	}
	if err := v.identify(key); err != nil || !v.limited {
		return err
	}
	a := v.client.account // the address has paid already
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if kind := a.lacking(v.taken, amounts{}, now); kind != none {
		return v.limit(v.client.name, keyLimits[kind], a.buckets[kind].rate, a.wait(v.whole(amounts{}), now))
	}
	a.charge(v.taken)
	return nil
}

// identify finds the client of a key.
func (v *Visit) identify(key string) error {
	c, known := v.gate.lookUp(key, v.scope)
	if known {
		v.client = c
		return nil
	}
	v.refused = true
	if c != nil {
		return v.gate.refuse(c.name, v.scope, forbidden)
	}
	return v.gate.refuse("", v.scope, unauthorized)
}

// Known returns a *Refused when calls of the scope need a key and none was seen.
func (v *Visit) Known() error {
	if v == nil || v.client != nil || !v.gate.needs[v.scope] {
		return nil
	}
	v.refused = true
	return v.gate.refuse("", v.scope, unauthorized)
}

// Take takes n more events from all rates, or returns a *Refused and takes none.
func (v *Visit) Take(n int) error {
	if v == nil || !v.limited || n <= 0 {
		return nil
	}
	more := amounts{inEvents: float64(n)}
	return v.take(more, more)
}

// GiveBack returns n events that were taken for nothing.
func (v *Visit) GiveBack(n int) {
	if v == nil || n <= 0 {
		return
	}
	for _, a := range v.accounts() {
		if a != nil {
			a.mu.Lock()
			a.charge(amounts{inEvents: -float64(n)})
			a.mu.Unlock()
		}
	}
	v.taken[inEvents] -= float64(n)
}

// Read reads the body, and returns a *Refused when its bytes come too fast.
func (v *Visit) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	if n > 0 {
		came := amounts{inBytes: float64(n)}
		if refused := v.take(came, came); refused != nil {
			return 0, refused
		}
	}
	return n, err
}

// End counts a call that was let in.
func (v *Visit) End() {
	if v == nil || v.refused {
		return
	}
	c := v.client
	if c == nil {
		c = v.gate.unknown
	}
	c.allowed[v.scope].Inc()
}

// accounts are those that limit the visit, in the order in which they are locked.
func (v *Visit) accounts() (all [2]*account) {
	if !v.limited {
		return all
	}
	if v.client != nil && v.client.account.limited {
		all[0] = v.client.account
	}
	if v.address != nil && v.address.limited {
		all[1] = v.address
	}
	return all
}

// take asks all accounts before it charges any. Of what is refused only bytes are charged, which
// have come.
func (v *Visit) take(asked, charged amounts) error {
	all := v.accounts()
	for _, a := range all {
		if a != nil {
			a.mu.Lock()
		}
	}
	err := v.takeLocked(all, asked, charged, time.Now())
	for _, a := range all {
		if a != nil {
			a.mu.Unlock()
		}
	}
	return err
}

func (v *Visit) takeLocked(all [2]*account, asked, charged amounts, now time.Time) error {
	kind, by := none, 0
	for i, a := range all {
		if a != nil && kind == none {
			kind, by = a.lacking(asked, v.taken, now), i
		}
	}
	if kind != none {
		charged[inEvents] = 0
	}
	for _, a := range all {
		if a != nil {
			a.charge(charged)
		}
	}
	for i := range charged {
		v.taken[i] += charged[i]
	}
	if kind == none {
		return nil
	}
	return v.tooFast(all, by, kind, v.whole(asked), now)
}

// tooFast is the error about a kind of the account by, which is locked as all accounts are.
func (v *Visit) tooFast(all [2]*account, by, kind int, whole amounts, now time.Time) error {
	var wait time.Duration
	for _, a := range all {
		if a != nil {
			wait = max(wait, a.wait(whole, now))
		}
	}
	name, limits := "", addressLimits
	if v.client != nil {
		name = v.client.name
	}
	if by == 0 {
		limits = keyLimits
	}
	return v.limit(name, limits[kind], all[by].buckets[kind].rate, wait)
}

// whole is what the call will take when it comes again, as far as it is known.
func (v *Visit) whole(asked amounts) amounts {
	return amounts{
		inEvents: v.taken[inEvents] + asked[inEvents],
		inBytes:  max(v.taken[inBytes], v.announced),
	}
}
