// Package campaign holds what may be bid for: advertisers, their campaigns, and creatives. It reads
// them from YAML and JSON, keeps them on the topic campaigns, follows that topic, and finds the
// campaigns that match an auction.
package campaign

import (
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
)

// Campaign is one line of an advertiser's plan: what is shown to whom, for how much.
type Campaign struct {
	ID         string
	Name       string
	Paused     bool
	Advertiser Advertiser
	Bundle     string     // of the app that is advertised, against bapp; empty: none
	Start, End event.Time // it bids from Start until End; 0: no bound
	Budget     Budget
	Bid        Bid
	Caps       []Cap
	Targeting  Targeting
	Creatives  []Creative // at least one
}

// Advertiser is who pays.
type Advertiser struct {
	ID         string
	Domain     string   // in lower case: adomain of bids, against badv
	Categories []string // of the IAB's first taxonomy, such as IAB8-5: cat of bids, against bcat
	Seat       string   // the buyer seat of its bids; empty: Config.Seat
}

// Budget is the most that is spent. 0 stands for no bound.
type Budget struct {
	Total auction.Micros
	Daily auction.Micros // a day begins at midnight in Zone
	Zone  *time.Location // UTC where none is given
	// Pacing is "even", which spreads a day's budget by the forecast of traffic, or "asap".
	Pacing string
}

// Bid says what an impression is worth, and how it is priced.
type Bid struct {
	// Strategy is one of: cpm (a fixed price), value (what the impression is worth), cpa (at most
	// Target for a positive of Objective), roas (Target units of Value for a unit spent), spend
	// (the budget, by the end of the day, for as many positives of Objective as it buys).
	Strategy  string
	CPM       float64 // of the strategy cpm
	Objective string  // of cpa and spend: whose positives are bought
	Target    float64 // of cpa: units of the currency; of roas: a ratio
	// Value is what an impression is worth, in units of the currency, by an expression over
	// p.OBJECTIVE, such as "p.click * 0.40 + p.conversion * 12".
	Value  string
	MaxCPM float64 // no bid is above it; 0: no bound
}

// Cap is the most impressions of the campaign that one user sees within a window.
type Cap struct {
	Impressions int
	Window      time.Duration
}

// Targeting says where a campaign bids. An empty list allows all; what is blocked is blocked though
// it is allowed, too. What a request does not tell is in no list. Texts are compared without case.
type Targeting struct {
	Countries, Regions, Cities, Metros Match // of the device
	Geo                                []Circle
	DeviceTypes                        MatchNumbers
	OS                                 Match
	Languages                          Match // of the device; en stands for en-GB, too
	// domains, which stand for their subdomains, too, and bundles. Where both lists allow
	// something, a place needs to be in one of them.
	Sites, Apps Match
	Publishers  Match
	Categories  Match // of the place; IAB1 stands for IAB1-2, too
	Segments    Match
	Deals       Match // allowed: only with one of these deals
	Formats     []auction.Format
	Positions   MatchNumbers // 0 stands for an unknown one
	Hours       []Hours      // in the user's time, UTC where that is not known
}

// Match is a list of allowed and one of blocked texts.
type Match struct{ Allow, Block []string }

// MatchNumbers is the same of numbers.
type MatchNumbers struct{ Allow, Block []int }

// Circle is the places within Km of a point.
type Circle struct{ Lat, Lon, Km float64 }

// Hours is a span of hours on some days: from From, up to and without To. Days are 0 for Sunday to
// 6; none: all.
type Hours struct {
	Days     []int
	From, To int
}

// Creative is one ad. Exactly one of Banner, Video, Audio and Native is there.
type Creative struct {
	ID         string   // among all creatives: the ad of predictions and events
	Landing    string   // URL behind the click; it may hold macros
	Attributes []int    // of the specification's list, against battr
	Secure     bool     // all that it loads is https
	Trackers   []string // further impression pixels
	Language   string
	Banner     *BannerCreative
	Video      *VideoCreative
	Audio      *AudioCreative
	Native     *NativeCreative
}

// BannerCreative is an image, or HTML that holds {click} and {click_encoded} where the click's URL
// belongs.
type BannerCreative struct {
	W, H  int
	Image string // URL
	HTML  string
	// of the specification's list of banner types: 2 for an image or plain HTML, 3 for HTML with a
	// script, 4 with an iframe
	Type int
	APIs []int  // that it needs
	MIME string // of an image
}

// VideoCreative is files of one video, from which a VAST document is made.
type VideoCreative struct {
	Duration  time.Duration
	W, H      int
	Files     []MediaFile
	SkipAfter time.Duration // 0: it cannot be skipped
	Protocol  int           // of the specification's list: 7 is VAST 4.0; 0: what the imp takes
	APIs      []int         // that it needs
}

// AudioCreative is the same of sound.
type AudioCreative struct {
	Duration time.Duration
	Files    []MediaFile
	Protocol int
}

// MediaFile is one encoding.
type MediaFile struct {
	URL     string
	MIME    string
	Bitrate int // kbit/s; 0: unknown, which no bound of a place excludes
	W, H    int // of a video
}

// NativeCreative is the parts of which a page draws an ad.
type NativeCreative struct {
	Title     string
	Body      string
	CTA       string
	Sponsored string
	Rating    string
	Price     string
	Icon      Image
	Main      Image
	Logo      Image
}

// Image is a picture and its size.
type Image struct {
	URL  string
	W, H int
	MIME string
}
