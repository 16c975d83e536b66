package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/clickloop/clickloop/bench/internal/load"
)

// bids is an open loop of bid requests. No two of them are the same.
type bids struct {
	load.Load
	took load.Times // by what the answer was
}

func newBids(o options, b *beside, first int, length time.Duration) *bids {
	l := &bids{Load: load.Load{URL: o.url + "/openrtb2/bid", Rate: o.rate, Connections: o.connections, Length: length, First: first, Body: appendRequest}}
	l.Answered = func(a load.Answer) {
		l.took.Add(a.Status, a.Took)
		if a.Status == load.OK && rand.Float64() < o.won {
			b.notify(a.Body)
		}
	}
	return l
}

// users is how many there are.
const users = 20_000

// appendRequest appends a request as an exchange sends it, for one place of 300x250 on one of 200
// sites.
func appendRequest(dst []byte, n int, rng *rand.Rand) []byte {
	dst = fmt.Appendf(dst, `{"id":"bench-%d","imp":[{"id":"1","banner":{"format":[{"w":300,"h":250},{"w":320,"h":50}],"pos":%d,"battr":[1,3]},"tagid":"slot-%d","bidfloor":0.1,"secure":1}],`, n, rng.IntN(4), rng.IntN(10))
	site := rng.IntN(200)
	dst = fmt.Appendf(dst, `"site":{"id":"s%d","domain":"site%d.example","page":"https://site%d.example/%d","cat":["IAB%d"],"publisher":{"id":"p%d"}},`, site, site, site, rng.IntN(1000), 1+site%20, site%50)
	dst = append(dst, `"device":{"ua":"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36","ip":"203.0.113.7","devicetype":4,"os":"Android","language":"en",`...)
	dst = fmt.Appendf(dst, `"geo":{"country":"USA","region":"R%d","utcoffset":%d}},"user":{"id":"`, rng.IntN(50), -60*(4+rng.IntN(5)))
	dst = strconv.AppendInt(append(dst, 'u'), int64(rng.IntN(users)), 10)
	return append(dst, `","data":[{"id":"dmp","segment":[{"id":"s1"},{"id":"s2"}]}]},"at":1,"tmax":120,"cur":["USD"],"bcat":["IAB25","IAB26"],"badv":["competitor.example"]}`...)
}

// judge prints what was measured, and returns an error where it took too long.
func (l *bids) judge(o options) error {
	for _, kind := range l.took.Kinds() {
		took := l.took.Of(kind)
		fmt.Printf("%s: %d, p50 %.2f ms, p99 %.2f, most %.2f\n", kind, len(took), load.Ms(took.Quantile(.5)), load.Ms(took.Quantile(.99)), load.Ms(took.Most()))
	}
	all, good := l.took.All(), l.took.Of(load.OK)
	if len(all) == 0 {
		return errors.New("nothing was answered")
	}
	p99, within := all.Quantile(.99), all.Within(o.within)
	fmt.Printf("all: %d (%.0f/s), p50 %.2f ms, p90 %.2f, p99 %.2f, p99.9 %.2f, most %.2f; %.3f%% within %v\n", len(all), float64(len(all))/o.length.Seconds(),
		load.Ms(all.Quantile(.5)), load.Ms(all.Quantile(.9)), load.Ms(p99), load.Ms(all.Quantile(.999)), load.Ms(all.Most()), 100*within, o.within)
	switch {
	case len(good) < len(all)/2:
		return fmt.Errorf("only %d of %d requests got a bid", len(good), len(all))
	case p99 > o.p99:
		return fmt.Errorf("99%% of the answers took up to %v, want %v", p99, o.p99)
	case within < 0.999:
		return fmt.Errorf("%.3f%% of the answers came within %v, want 99.9%%", 100*within, o.within)
	}
	return nil
}
