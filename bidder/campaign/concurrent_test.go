package campaign

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// Readers match while campaigns change, each with the View that it has taken.
func TestReadersMatchWhileCampaignsChange(t *testing.T) {
	r := newRandom(21)
	c := New(Config{Most: 1 << 20})
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for i := range 4 {
		readers.Go(func() {
			own := newRandom(uint64(100 + i))
			for {
				select {
				case <-stop:
					return
				default:
				}
				v := c.View()
				q := own.request("q")
				m := &q.Imps[0]
				first, second := v.Match(nil, q, m, testNow), v.Match(nil, q, m, testNow)
				if !slices.Equal(ids(first), ids(second)) {
					t.Errorf("a View has matches %v and %v", ids(first), ids(second))
					return
				}
				for _, k := range first {
					if of, cr := v.Creative(k.Creative.ID); of == k.Campaign && cr != k.Creative {
						t.Errorf("the creative %s is another one", k.Creative.ID)
					}
				}
				v.IDs()
			}
		})
	}
	for range 60 {
		var all []*Campaign
		for range 40 {
			all = append(all, r.campaign(fmt.Sprint("c", r.IntN(1500))))
		}
		_ = c.Change(all, fmt.Sprint("c", r.IntN(1500)))
	}
	close(stop)
	readers.Wait()
}
