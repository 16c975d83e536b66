package main

import (
	"errors"
	"fmt"

	"github.com/clickloop/clickloop/bench/internal/load"
	"github.com/clickloop/clickloop/bench/internal/system"
)

// start starts services and the program, and returns when it serves.
func start(o options) (*system.System, error) {
	s, err := system.New(o.services)
	if err != nil {
		return nil, err
	}
	err = s.Write(map[string]string{"clickloop.yaml": configuration, "campaigns.yaml": campaigns()})
	if err == nil {
		err = s.Up(o.binary, s.File("clickloop.yaml"))
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// watch runs the load of some requests, and prints what became of them all, of the money that was
// asked for, and what they cost.
func watch(s *system.System, requests int, run func()) error {
	before := s.Processor()
	run()
	used := s.Processor() - before
	counted, err := s.Metrics("clickloop_bidder_requests_total", "clickloop_bidder_reservations_total")
	for _, line := range counted {
		fmt.Println(line)
	}
	fmt.Printf("processor time: %.2f ms a request, with all that goes on beside\n", load.Ms(used)/float64(requests))
	return err
}

const configuration = `objectives:
  - {name: click, trigger: impression, positive: click, window: 5s}
features:
  profiles:
    - {name: user.clicks_1h, entity: user, aggregate: count, event: click, window: 1h}
    - {name: user.pages_1h, entity: user, aggregate: count, event: page, window: 1h}
    - {entity: ad, aggregate: ratio, event: click, over: impression, window: 1d, prior: 0.01, weight: 100}
    - {entity: campaign, aggregate: ratio, event: click, over: impression, window: 1d, prior: 0.01, weight: 100}
bidding:
  campaigns: campaigns.yaml
  public_url: https://bid.example
`

// campaigns makes ten: the even ones have a creative of the size that is asked for. Of these five,
// three count how often users see them, and one spreads its budget over the day.
func campaigns() string {
	text := "advertisers:\n  - {id: shoes, domain: shoes.example, categories: [IAB18-3]}\ncampaigns:\n"
	for c := range 10 {
		w, h := 300, 250
		if c%2 == 1 {
			w, h = 970, 90
		}
		pacing := "asap"
		if c == 2 {
			pacing = "even"
		}
		text += fmt.Sprintf("  - id: c%d\n    advertiser: shoes\n    budget: {total: 1000000, daily: 100000, pacing: %s}\n    bid: {strategy: value, value: \"p.click * %.2f\", max_cpm: 20}\n",
			c, pacing, 0.2+0.05*float64(c))
		if c%4 == 0 {
			text += "    caps: [{impressions: 20, window: 24h}]\n"
		}
		text += fmt.Sprintf("    creatives: [{id: a%d, landing: \"https://shoes.example/%d\", secure: true, banner: {w: %d, h: %d, image: \"https://cdn.shoes.example/%d.png\"}}]\n", c, c, w, h, c)
	}
	return text
}
