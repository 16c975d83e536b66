package campaign

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/internal/notify"
)

// Config says how campaigns are matched.
type Config struct {
	// buyer seat of advertisers that have none of their own; empty: a request that names seats gets
	// no bid of theirs
	Seat string
	// candidates of an imp at most, at least 1; see View.Match for which are taken
	Most int
	// campaigns with caps match requests without a user, too, for whom nothing can be counted
	UncappedWithoutConsent bool
}

// DefaultMost is the Most of a Config that gives none.
const DefaultMost = 100

// pageEntries is how many campaigns are copied and replaced together.
const (
	pageEntries = 1024
	pageWords   = pageEntries / 64
)

// Catalogue is all campaigns in memory. One goroutine at a time changes it; any number of them read
// its View at once.
type Catalogue struct {
	cfg  Config
	view atomic.Pointer[View]
	// Changed fires when there is another View.
	Changed notify.Broadcast

	mu   sync.Mutex // of whoever changes it
	next View
	gen  uint64 // of what was copied since the last View
	free [groups][]uint32

	readMu    sync.RWMutex      // of the maps that readers look into; a View may be older
	campaigns map[string]place  // by campaign
	creatives map[string]string // campaigns by creative
}

// place is where a campaign stands.
type place struct {
	group group
	slot  uint32
}

// page is the campaigns of some slots.
type page struct {
	gen     uint64
	entries [pageEntries]*entry // nil: no campaign
	orders  [pageEntries]uint32 // hashes of the campaigns' ids
}

// entry is a campaign as it is matched.
type entry struct {
	campaign *Campaign
	etag     string // of its JSON
	seed     string // etag of what a file said when it was written, or empty
	seat     string
	deals    Match     // folded
	home     dimension // of a narrow campaign
	// by creative: what it needs, beside what it has
	attributes [][]int
	seconds    []int
}

// New returns an empty Catalogue.
func New(cfg Config) *Catalogue {
	if cfg.Most <= 0 {
		cfg.Most = DefaultMost
	}
	c := &Catalogue{cfg: cfg, gen: 1, campaigns: map[string]place{}, creatives: map[string]string{}}
	c.next.of = c
	c.next.index = newIndex()
	c.publish()
	return c
}

// View returns the newest View.
func (c *Catalogue) View() *View { return c.view.Load() }

// Change puts campaigns, which must be valid, deletes others by their ids, and publishes a View of
// all of that. It is for whoever follows no topic. The error is a *Full; what comes before the
// campaign that it is about is changed.
func (c *Catalogue) Change(put []*Campaign, deleted ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.publish()
	for _, id := range deleted {
		c.delete(id)
	}
	for _, campaign := range put {
		if err := c.put(newEntry(campaign, c.cfg.Seat, "")); err != nil {
			return err
		}
	}
	return nil
}

// Full is returned for a campaign beyond MaxCampaigns.
type Full struct{ id string }

func (f *Full) Error() string {
	return fmt.Sprintf("the campaign %.100q is one too many: there are %d campaigns already, which is the most", f.id, MaxCampaigns)
}

// newEntry compiles a campaign.
func newEntry(c *Campaign, seat, seed string) *entry {
	e := &entry{campaign: c, etag: etagOf(c), seed: seed, seat: c.Advertiser.Seat}
	if e.seat == "" {
		e.seat = seat
	}
	e.deals = Match{Allow: folded(c.Targeting.Deals.Allow), Block: folded(c.Targeting.Deals.Block)}
	for i := range c.Creatives {
		cr := &c.Creatives[i]
		attributes, seconds := cr.Attributes, 0
		switch {
		case cr.Video != nil:
			seconds = wholeSeconds(cr.Video.Duration)
			if cr.Video.SkipAfter > 0 {
				attributes = append(slices.Clip(attributes), attributeSkippable)
			}
		case cr.Audio != nil:
			seconds = wholeSeconds(cr.Audio.Duration)
		}
		e.attributes, e.seconds = append(e.attributes, attributes), append(e.seconds, seconds)
	}
	return e
}

func folded(texts []string) []string {
	var all []string
	for _, s := range texts {
		all = append(all, strings.ToLower(s))
	}
	return all
}

// etagOf is a hash of a campaign's JSON.
func etagOf(c *Campaign) string {
	sum := sha256.Sum256(c.AppendJSON(nil))
	return hex.EncodeToString(sum[:12])
}

// put takes a campaign into the next View. The error is a *Full.
func (c *Catalogue) put(e *entry) error {
	id := e.campaign.ID
	if old, ok := c.campaigns[id]; ok {
		c.drop(old)
	} else if c.next.live >= MaxCampaigns {
		return &Full{id}
	}
	t, g := termsOf(e), wide
	if home, ok := c.next.index.home(t, c.next.live); ok {
		e.home, g = home, narrow
		t.settle(home)
	}
	at := c.take(g)
	p := c.writable(at)
	p.entries[at.slot%pageEntries], p.orders[at.slot%pageEntries] = e, uint32(xxhash.Sum64String(id))
	if !e.campaign.Paused {
		c.next.index.add(c.gen, at.group, at.slot, t, c.next.words(at.group))
	}
	c.next.live++
	c.readMu.Lock()
	defer c.readMu.Unlock()
	c.campaigns[id] = at
	for i := range e.campaign.Creatives {
		c.creatives[e.campaign.Creatives[i].ID] = id
	}
	return nil
}

// take returns a free place.
func (c *Catalogue) take(g group) place {
	if n := len(c.free[g]); n > 0 {
		slot := c.free[g][n-1]
		c.free[g] = c.free[g][:n-1]
		return place{g, slot}
	}
	slot := uint32(c.next.slots[g])
	c.next.slots[g]++
	if int(slot/pageEntries) == len(c.next.pages[g]) {
		c.next.pages[g] = append(c.next.pages[g], &page{gen: c.gen})
	}
	return place{g, slot}
}

// delete removes a campaign from the next View, and says whether it was there.
func (c *Catalogue) delete(id string) bool {
	at, ok := c.campaigns[id]
	if ok {
		c.drop(at)
	}
	return ok
}

// drop takes a campaign from its place.
func (c *Catalogue) drop(at place) {
	e := c.next.entry(at)
	if !e.campaign.Paused {
		t := termsOf(e)
		if at.group == narrow {
			t.settle(e.home)
		}
		c.next.index.remove(c.gen, at.group, at.slot, t)
	}
	c.writable(at).entries[at.slot%pageEntries] = nil
	c.free[at.group] = append(c.free[at.group], at.slot)
	c.next.live--
	c.readMu.Lock()
	defer c.readMu.Unlock()
	delete(c.campaigns, e.campaign.ID)
	for i := range e.campaign.Creatives {
		if id := e.campaign.Creatives[i].ID; c.creatives[id] == e.campaign.ID {
			delete(c.creatives, id)
		}
	}
}

// writable returns the page of a place as the next View may have it.
func (c *Catalogue) writable(at place) *page {
	p := &c.next.pages[at.group][at.slot/pageEntries]
	if (*p).gen != c.gen {
		copied := **p
		copied.gen = c.gen
		*p = &copied
	}
	return *p
}

// publish makes what was changed the newest View.
func (c *Catalogue) publish() {
	v := &View{of: c, index: c.next.index.publish(), slots: c.next.slots, live: c.next.live}
	for g := range groups {
		v.pages[g] = slices.Clone(c.next.pages[g])
	}
	c.gen++
	c.view.Store(v)
	c.Changed.Fire()
}
