package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/clickloop/clickloop/bench/internal/load"
)

// What recommendations take and may take.
const (
	itemsAll      = 100_000
	itemsACall    = 10_000
	recommendRate = 100 // a second
	recommendP99  = 10 * time.Millisecond
	foundWithin   = 2 * time.Second
)

// recommend is a case: 20 of 100,000 items are asked for, while others are added.
func (b *bench) recommend(ctx context.Context) (string, error) {
	began := time.Now()
	if err := b.fill(ctx); err != nil {
		return "", err
	}
	filled := time.Since(began)
	l := &load.Load{URL: b.system.URL + "/v1/score", Rate: recommendRate, Connections: connections, Length: b.length}
	l.Body = func(dst []byte, _ int, rng *rand.Rand) []byte {
		return fmt.Appendf(dst, `{"user":"u%d","context":{"hour":%d},"choose":20,"candidates":{"catalogue":"items"}}`, rng.IntN(users), rng.IntN(24))
	}
	var longest time.Duration
	added := 0
	got, err := collect(ctx, l, func() error {
		for ; time.Since(began) < filled+b.length; added++ {
			took, err := b.add(ctx, added)
			if err != nil {
				return err
			}
			longest = max(longest, took)
			if err := pause(ctx, time.Second); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	t := got.times.All()
	text := fmt.Sprintf("%d items, filled in %v; 20 of them at %d/s: %s; p50 %.2f ms, p99 %.2f, longest %.2f, timers of the generator %.2f late at p99; %d were added and found after %v at most",
		itemsAll, filled.Round(10*time.Millisecond), recommendRate, counts(&got.times), load.Ms(t.Quantile(.5)), load.Ms(t.Quantile(.99)), load.Ms(t.Most()),
		load.Ms(got.timers.p99()), added, longest.Round(time.Millisecond))
	return text, errors.Join(got.statuses(), atMost("p99", t.Quantile(.99), got.timers.allow(recommendP99)), within("an item is found", longest, foundWithin))
}

// fill writes the catalogue, and waits until the program has all of it.
func (b *bench) fill(ctx context.Context) error {
	rng := rand.New(rand.NewPCG(5, 2))
	for first := 0; first < itemsAll; first += itemsACall {
		var lines strings.Builder
		for i := first; i < first+itemsACall; i++ {
			fmt.Fprintf(&lines, `{"id":"i%d","campaign":"c%d","fields":{"category":"k%d","brand":"b%d","price":%d}}`+"\n", i, rng.IntN(100), rng.IntN(40), rng.IntN(500), 1+rng.IntN(200))
		}
		if _, err := call(ctx, http.MethodPost, b.system.Admin+"/v1/items", lines.String()); err != nil {
			return err
		}
	}
	for {
		var has struct{ Items int }
		text, err := call(ctx, http.MethodGet, b.system.Admin+"/v1/items/", "")
		if err = errors.Join(err, json.Unmarshal(text, &has)); err != nil {
			return err
		}
		if has.Items >= itemsAll {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// add writes an item, and returns after how long a request finds it. A request that is refused is
// sent again.
func (b *bench) add(ctx context.Context, n int) (time.Duration, error) {
	id, began := fmt.Sprint("new", n), time.Now()
	if _, err := call(ctx, http.MethodPut, b.system.Admin+"/v1/items/"+id, `{"fields":{"category":"new"}}`); err != nil {
		return 0, err
	}
	for {
		text, err := call(ctx, http.MethodPost, b.system.URL+"/v1/score", fmt.Sprintf(`{"candidates":{"catalogue":"items","filter":"item.id == '%s'"}}`, id))
		if err != nil && time.Since(began) > 5*foundWithin {
			return 0, err
		}
		if strings.Contains(string(text), `"ad":"`+id+`"`) {
			return time.Since(began), nil
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return 0, err
		}
	}
}
