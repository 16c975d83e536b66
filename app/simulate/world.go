package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/clickloop/clickloop/bidder/auction"
)

// topic is what a place, an advertiser or a user's interest is about: an index of topics, or
// anything.
type topic int

const anything topic = -1

var topics = []struct{ name, category string }{
	{"autos", "IAB2"}, {"food", "IAB8"}, {"games", "IAB9-30"}, {"finance", "IAB13"},
	{"sports", "IAB17"}, {"fashion", "IAB18"}, {"technology", "IAB19"}, {"travel", "IAB20"},
}

// topicOf is the topic of the first of an advertiser's categories that is known. Subcategories
// belong to their category.
func topicOf(categories []string) topic {
	for _, c := range categories {
		for t := range topics {
			if known := topics[t].category; c == known || len(c) > len(known) && c[:len(known)+1] == known+"-" {
				return topic(t)
			}
		}
	}
	return anything
}

// place is a site or an app.
type place struct {
	app    bool
	name   string
	domain string // of an app: its bundle
	about  topic
	audience,
	effect float64 // weight among places; shift of the logit of a click
	slots []slot
}

// slot is a place's place for an ad.
type slot struct {
	tag      string
	format   auction.Format
	sizes    []auction.Size // of a banner
	video    bool           // it takes a video, too, or nothing else
	position int            // by OpenRTB's list: 1 above the fold, 3 below
	full     bool
	rewarded bool
	market   market
	page     *place
}

func banner(tag string, position int, median float64, sizes ...auction.Size) slot {
	return slot{tag: tag, format: auction.FormatBanner, sizes: sizes, position: position, market: market{median: median}}
}

func native(tag string, median float64) slot {
	return slot{tag: tag, format: auction.FormatNative, position: 1, market: market{median: median}}
}

func video(tag string, median float64) slot {
	return slot{tag: tag, format: auction.FormatVideo, video: true, position: 1, market: market{median: median}}
}

func (s slot) interstitial() slot { s.full, s.position = true, 7; return s }
func (s slot) forReward() slot    { s.rewarded = true; return s.interstitial() }
func (s slot) orVideo() slot      { s.video = true; return s }

// Sizes of banners.
var (
	leaderboard  = auction.Size{W: 728, H: 90}
	rectangle    = auction.Size{W: 300, H: 250}
	halfPage     = auction.Size{W: 300, H: 600}
	billboard    = auction.Size{W: 970, H: 250}
	skyscraper   = auction.Size{W: 160, H: 600}
	mobile       = auction.Size{W: 320, H: 50}
	mobileScreen = auction.Size{W: 320, H: 480}
)

// places are the sites and apps whose ads are sold. Medians are what the highest rival bids, in USD
// CPM.
func places() []place {
	return []place{
		{name: "Kickoff", domain: "kickoff.example", about: topicOf([]string{"IAB17"}), audience: 1.4, slots: []slot{
			banner("top", 1, 3.6, leaderboard), banner("side", 1, 4.1, rectangle, halfPage), banner("foot", 3, 2.5, rectangle)}},
		{name: "Morning Post", domain: "morning-post.example", about: topicOf([]string{"IAB13"}), audience: 1.2, slots: []slot{
			banner("billboard", 1, 5.8, billboard), banner("tower", 3, 2.9, skyscraper), native("feed", 5.4)}},
		{name: "Getaway", domain: "getaway.example", about: topicOf([]string{"IAB20"}), audience: 0.8, slots: []slot{
			banner("top", 1, 4.4, leaderboard, billboard), native("feed", 6.1), banner("foot", 3, 2.7, rectangle)}},
		{name: "Bits", domain: "bits.example", about: topicOf([]string{"IAB19"}), audience: 1, slots: []slot{
			banner("side", 1, 3.7, rectangle).orVideo(), banner("tower", 3, 3.4, halfPage), video("article", 11.0)}},
		{name: "Wardrobe", domain: "wardrobe.example", about: topicOf([]string{"IAB18"}), audience: 0.8, slots: []slot{
			native("feed", 5.8), banner("side", 1, 4.8, halfPage)}},
		{name: "Torque", domain: "torque.example", about: topicOf([]string{"IAB2"}), audience: 0.7, slots: []slot{
			banner("top", 1, 3.7, leaderboard), banner("foot", 3, 2.7, rectangle)}},
		{app: true, name: "Table", domain: "com.example.table", about: topicOf([]string{"IAB8"}), audience: 0.9, slots: []slot{
			banner("bar", 1, 2.0, mobile), native("feed", 5.1)}},
		{app: true, name: "Puzzle Park", domain: "com.example.puzzlepark", about: topicOf([]string{"IAB9-30"}), audience: 1.3, slots: []slot{
			banner("bar", 1, 1.5, mobile), banner("between", 7, 7.1, mobileScreen).interstitial(), video("reward", 13.6).forReward()}},
		{app: true, name: "Weather Now", domain: "com.example.weathernow", about: anything, audience: 0.9, slots: []slot{
			banner("bar", 1, 1.7, mobile), banner("card", 1, 2.9, rectangle)}},
	}
}

// country has the visitors' share, the hours of its clock before UTC, and its rule of consent.
type country struct {
	code, region string
	share        float64
	offset       int // minutes
	law          law
	lat, lon     float64
}

type law uint8

const (
	none law = iota // a device may ask not to be tracked
	gdpr
	usPrivacy
)

var countries = []country{
	{"NLD", "NH", 0.24, 60, gdpr, 52.37, 4.9}, {"DEU", "BE", 0.24, 60, gdpr, 52.52, 13.4}, {"FRA", "IDF", 0.14, 60, gdpr, 48.86, 2.35},
	{"GBR", "ENG", 0.16, 0, gdpr, 51.51, -0.13}, {"USA", "NY", 0.16, -300, usPrivacy, 40.71, -74}, {"BRA", "SP", 0.06, -180, none, -23.55, -46.63},
}

// visitor is a person in front of a device.
type visitor struct {
	id       string
	interest topic
	consents bool
	device   int // an index of devices
	country  *country
}

// device is what ads are shown on; Type is of OpenRTB's list.
type device struct {
	kind           int
	os, brand      string
	agent          string
	share, effect  float64 // effect: shift of the logit of a click
	connectionType int
}

var devices = []device{
	{4, "Android", "Pixel", "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36", 0.38, 0.4, 6},
	{4, "iOS", "Apple", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", 0.26, 0, 2},
	{2, "Windows", "", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", 0.26, -0.5, 2},
	{5, "iOS", "Apple", "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", 0.10, 0.1, 2},
}

const (
	visitors = 4000
	refusing = 0.25 // share of visitors who do not consent to profiles
	// the logit of a click is so much higher in the best place than in the middle one
	placeSpread = 1.1
	sameTopic   = 5.0  // how much likelier a visitor is on a place about the own interest
	twoImps     = 0.15 // share of page views whose request offers two slots
)

// world is what the exchange sells, and to whom it is shown. It is a function of the seed.
type world struct {
	seed     uint64
	secure   bool // pages are https, and so must be all that ads load
	places   []place
	visitors []visitor
	// the sum of all places' attraction, by a visitor's interest and device
	reach [][]float64
}

func newWorld(seed uint64) *world {
	w := &world{seed: seed, places: places()}
	rng := stream(seed, "places", 0)
	effects := rng.Perm(len(w.places))
	for i := range w.places {
		p := &w.places[i]
		p.effect = placeSpread * (2*float64(effects[i])/float64(len(effects)-1) - 1)
		for j := range p.slots {
			p.slots[j].page = p
			p.slots[j].market.shape = shape((i + j) % shapes)
		}
	}
	rng = stream(seed, "visitors", 0)
	for i := range visitors {
		v := visitor{id: fmt.Sprintf("v%04d", i), interest: topic(rng.IntN(len(topics))), consents: rng.Float64() >= refusing}
		v.country = &countries[pick(rng, len(countries), func(i int) float64 { return countries[i].share })]
		v.device = pick(rng, len(devices), func(i int) float64 { return devices[i].share })
		w.visitors = append(w.visitors, v)
	}
	w.reach = make([][]float64, len(topics))
	for t := range topics {
		w.reach[t] = make([]float64, len(devices))
		for d := range devices {
			for i := range w.places {
				w.reach[t][d] += w.places[i].attraction(topic(t), d)
			}
		}
	}
	return w
}

// attraction is how likely visitors with an interest are on p, compared with other places. Nobody
// is in an app with a computer.
func (p *place) attraction(interest topic, dev int) float64 {
	switch {
	case p.app && devices[dev].kind == 2:
		return 0
	case p.about == interest:
		return p.audience * sameTopic
	}
	return p.audience
}

// stream is the source of random numbers of one purpose and number: what an auction draws does not
// depend on what others drew, so auctions can be made in any order.
func stream(seed uint64, purpose string, n int64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, hash(purpose, uint64(n))))
}

// hash mixes a text and a number to 64 bits.
func hash(text string, n uint64) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	h ^= n * 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// pick draws an index of n by weights, whose sum is above 0.
func pick(rng *rand.Rand, n int, weight func(int) float64) int {
	sum := 0.0
	for i := range n {
		sum += weight(i)
	}
	u := rng.Float64() * sum
	for i := range n {
		if u -= weight(i); u < 0 {
			return i
		}
	}
	return n - 1
}

// sigmoid is the probability of a logit.
func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
