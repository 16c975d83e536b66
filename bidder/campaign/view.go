package campaign

import (
	"sort"
	"sync"
	"sync/atomic"

	"github.com/clickloop/clickloop/event"
)

// View is all campaigns at one moment. It does not change.
type View struct {
	of    *Catalogue
	index index
	pages [groups][]*page
	slots [groups]int // in use, or free behind ones that are in use
	live  int

	moment atomic.Pointer[moment]
	sorted sync.Once
	ids    []string
}

// words is the length of a bitmap of all pages of a group.
func (v *View) words(g group) int { return pageWords * len(v.pages[g]) }

func (v *View) entry(at place) *entry {
	return v.pages[at.group][at.slot/pageEntries].entries[at.slot%pageEntries]
}

// each calls f for every campaign.
func (v *View) each(f func(place, *entry)) {
	for g := range groups {
		for slot := range uint32(v.slots[g]) {
			if e := v.entry(place{g, slot}); e != nil {
				f(place{g, slot}, e)
			}
		}
	}
}

// Len is how many campaigns there are, paused and ended ones too.
func (v *View) Len() int { return v.live }

// find returns nil for a campaign that the View does not have.
func (v *View) find(id string) *entry {
	v.of.readMu.RLock()
	at, ok := v.of.campaigns[id]
	v.of.readMu.RUnlock()
	if !ok || int(at.slot) >= v.slots[at.group] {
		return nil
	}
	if e := v.entry(at); e != nil && e.campaign.ID == id {
		return e
	}
	return nil
}

// Find returns a campaign, or nil. Nobody changes it.
func (v *View) Find(id string) *Campaign {
	if e := v.find(id); e != nil {
		return e.campaign
	}
	return nil
}

// Creative returns a creative and its campaign, or nil.
func (v *View) Creative(id string) (*Campaign, *Creative) {
	v.of.readMu.RLock()
	of := v.of.creatives[id]
	v.of.readMu.RUnlock()
	c := v.Find(of)
	if c == nil {
		return nil, nil
	}
	for i := range c.Creatives {
		if c.Creatives[i].ID == id {
			return c, &c.Creatives[i]
		}
	}
	return nil, nil
}

// IDs are the ids of all campaigns in their order. Nobody changes them.
func (v *View) IDs() []string {
	v.sorted.Do(func() {
		v.each(func(_ place, e *entry) { v.ids = append(v.ids, e.campaign.ID) })
		sort.Strings(v.ids)
	})
	return v.ids
}

// States of campaigns.
const (
	StatusActive    = "active"
	StatusPaused    = "paused"
	StatusScheduled = "scheduled" // it has not started
	StatusEnded     = "ended"
)

// Status is the state that a campaign is in.
func (c *Campaign) Status(now event.Time) string {
	switch {
	case c.End != 0 && now >= c.End:
		return StatusEnded
	case c.Paused:
		return StatusPaused
	case now < c.Start:
		return StatusScheduled
	}
	return StatusActive
}

// moment is the campaigns that may bid from a time until another, when one starts or ends.
type moment struct {
	from, until event.Time
	bits        [groups][]uint64
}

// activeAt is the campaigns that may bid at a time.
func (v *View) activeAt(now event.Time) *moment {
	if m := v.moment.Load(); m != nil && m.from <= now && now < m.until {
		return m
	}
	m := &moment{from: -1 << 63, until: 1<<63 - 1}
	for g := range groups {
		m.bits[g] = make([]uint64, v.words(g))
	}
	v.each(func(at place, e *entry) {
		m.narrow(now, e.campaign.Start)
		m.narrow(now, e.campaign.End)
		if e.campaign.Status(now) == StatusActive {
			m.bits[at.group][at.slot/64] |= 1 << (at.slot % 64)
		}
	})
	v.moment.Store(m)
	return m
}

// narrow ends the moment where a campaign starts or ends.
func (m *moment) narrow(now, edge event.Time) {
	switch {
	case edge == 0:
	case edge <= now:
		m.from = max(m.from, edge)
	default:
		m.until = min(m.until, edge)
	}
}
