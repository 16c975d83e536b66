package model

import (
	"math/rand/v2"
	"testing"

	"github.com/clickloop/clickloop/model/internal/arith"
)

// A stream whose ids never end: what is kept does not grow, and ids that come back often are among
// it.
func TestTokensThatDoNotComeAgainMakeRoom(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	n := mustNew(t, func(c *Config) { c.TableBits, c.Admission, c.Expiry = 12, 2, 2000 })
	s := n.NewScratch()
	most := 0
	for i := range sized(40000) {
		var id uint64
		switch k := i % 20; {
		case k < 5: // each of a hundred every 400 examples
			id = uint64((i/20*5+k)%100 + 1)
		case k%10 == 5: // twice, then never again
			id = 1<<40 + uint64(i/20)
		default: // once
			id = r.Uint64()
		}
		if _, err := n.Learn([]Feature{{Field: 7, Hash: id, Value: 1}}, float64(id&1), 1, s); err != nil {
			t.Fatal(err)
		}
		most = max(most, n.Occupancy().Tokens)
	}
	o := n.Occupancy()
	if o.Pooled || most > 1500 || o.Expired < int64(sized(40000))/40 {
		t.Errorf("most tokens at a time %d; in the end %+v", most, o)
	}
	for id := range uint64(100) {
		if n.tokens.Find(arith.Mix(7^kindToken, id+1)) == 0 {
			t.Fatalf("id %d comes every 400 examples and has no record", id+1)
		}
	}
}
