// Command position measures how well the order of ads is learned from clicks that decay with their
// position on the page, where the position is given as a fact of the impression (features.shown)
// and where it is not.
//
// Fifty ads have qualities of 0.02 to 0.4, ten stand on a page, and the n-th is looked at with a
// probability of 1/n. The policy that placed them believes something about the ads, right or wrong,
// so an ad's clicks tell of its places too. The table gives Spearman's rank correlation of the
// learned order with the qualities, over seeds: its mean and its smallest with the position, its
// mean without, and that of clicks over looks, counted by who knows how positions decay.
package main

import (
	"flag"
	"fmt"
	"log"
	"strconv"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// policies from one that knows little to those that place nearly by the truth, or by its opposite.
var policies = []policy{
	{"wrong about many", 0.3, 0.9, 0.5, 0},
	{"rather the opposite", -0.5, 0.9, 0.5, 0},
	{"nearly the truth", 0.9, 0.3, 0.3, 0},
	{"nearly the opposite", -0.9, 0.3, 0.3, 0},
	{"nearly the truth, 5% random", 0.9, 0.3, 0.3, 0.05},
	{"nearly the opposite, 5% random", -0.9, 0.3, 0.3, 0.05},
	{"nearly the opposite, 20% random", -0.9, 0.3, 0.3, 0.2},
}

func main() {
	seeds := flag.Uint64("seeds", 10, "lists of each policy")
	ads := flag.Int("ads", 50, "number of ads")
	pages := flag.Int("pages", 20_000, "pages of ten ads that are learned")
	flag.Parse()
	fmt.Println("| policy | with position | smallest | without | counted |")
	fmt.Println("|---|---|---|---|---|")
	for _, p := range policies {
		var with, without, counted float64
		least := 1.0
		for seed := range *seeds {
			r, err := run(p, seed, *ads, *pages)
			if err != nil {
				log.Fatal(err)
			}
			with, without, counted, least = with+r.with, without+r.without, counted+r.counted, min(least, r.with)
		}
		n := float64(*seeds)
		fmt.Printf("| %s | %.3f | %.3f | %.3f | %.3f |\n", p.name, with/n, least, without/n, counted/n)
	}
}

// result is how the learned orders correlate with the truth.
type result struct{ with, without, counted float64 }

// run learns the same pages with the position and without.
func run(p policy, seed uint64, ads, pages int) (r result, err error) {
	if r.with, r.counted, err = learn(p, seed, ads, pages, []features.ShownConfig{{Name: "position", Serve: "1"}}); err != nil {
		return r, err
	}
	r.without, _, err = learn(p, seed, ads, pages, nil)
	return r, err
}

// learn learns the clicks on pages by the default network, as the loop does: features assembled for
// the request, what was shown put in their place, and then encoded.
func learn(p policy, seed uint64, ads, pages int, shown []features.ShownConfig) (learned, counted float64, err error) {
	set, err := features.Compile(features.Config{Shown: shown})
	if err != nil {
		return 0, 0, err
	}
	cfg := model.DefaultConfig()
	cfg.TableBits = 14
	for _, fact := range shown {
		cfg.Apart = append(cfg.Apart, fact.Name)
	}
	net, err := model.New(cfg)
	if err != nil {
		return 0, 0, err
	}
	l, s := newList(seed, ads, p), net.NewScratch()
	var fields event.Fields
	var x []model.Feature
	assemble := func(ad int) {
		fields = set.Assemble(fields[:0], &features.Request{Ad: "ad" + strconv.Itoa(ad)}, nil)
	}
	looks, clicks := make([]float64, ads), make([]float64, ads)
	for range pages {
		l.page(func(ad, position int, clicked bool) {
			assemble(ad)
			e := event.Event{Properties: event.Fields{{Name: "position", Value: event.Value{Kind: event.Number, Num: float64(position)}}}}
			set.Shown().Put(fields, set.Shown().Of(nil, &e, nil), nil)
			x = features.Encode(x[:0], fields)
			y := 0.0
			if clicked {
				y = 1
			}
			looks[ad], clicks[ad] = looks[ad]+seen(position), clicks[ad]+y
			if _, learnErr := net.Learn(x, y, 1, s); learnErr != nil {
				err = learnErr
			}
		})
	}
	order := make([]float64, ads)
	for ad := range order {
		assemble(ad)
		x = features.Encode(x[:0], fields)
		order[ad], clicks[ad] = net.Predict(x, s), clicks[ad]/looks[ad]
	}
	return spearman(order, l.quality), spearman(clicks, l.quality), err
}
