// Package auction is a bid request as the bidder sees it: one form for OpenRTB 2.5 and 2.6, with
// the defaults of the specification filled in. It knows no wire format and no campaign.
package auction

import (
	"time"

	"github.com/clickloop/clickloop/event"
)

// Request is one auction: a place on a page or in an app that is offered now. What the exchange
// left out is the zero value, unless a field says otherwise.
type Request struct {
	ID         string
	Time       event.Time // when it arrived
	Test       bool       // no money is spent: it is answered, and nothing is reserved
	FirstPrice bool       // the winner pays its bid; otherwise the second price
	TMax       time.Duration
	Currencies []string // in which bids are taken; none: USD

	BlockedCategories  []string // bcat
	AllowedCategories  []string // acat: the only ones; none: all that are not blocked
	BlockedAdvertisers []string // badv: domains, in lower case
	BlockedApps        []string // bapp: bundles
	CategoryTaxonomy   int      // cattax; 1, the IAB's first, where none is given
	Seats              []string // wseat: the only buyer seats that may bid; none: all
	BlockedSeats       []string // bseat
	Languages          []string // wlang: of creatives, in lower case; none: all
	// Disclosure says that a bid must tell on whose behalf it is made and who pays: the European
	// Digital Services Act, dsarequired 2 and 3. A bid without it is not accepted.
	Disclosure bool

	Chain   SupplyChain
	Place   Place
	Device  Device
	User    User
	Consent Consent
	Imps    []Imp
	Refused []Refusal // places, or forms of ads of a place, that cannot be bid on
}

// Refusal says why a place of a request, or one of its forms of ads, is not among Request.Imps.
type Refusal struct {
	Index  int    // of the imp in the request
	Imp    string // its id, where it has one
	Reason string // names the member and what is wrong with it
}

// SupplyChain is who sells the place and passes the request on: schain.
type SupplyChain struct {
	Given    bool
	Complete bool // all the way from the owner of the site or app
	Nodes    []ChainNode
}

// ChainNode is one seller: the domain of its system, and its account there.
type ChainNode struct{ System, Seller string }

// Place is the site, the app or the screen.
type Place struct {
	Kind       Kind
	ID         string
	Name       string
	Domain     string // of a site, in lower case, without www.; of a DOOH network its own
	Bundle     string // of an app
	Page       string
	Categories []string
	Publisher  string // its id
	Language   string // of the content
	Keywords   []string
}

// Kind is what a Place is.
type Kind uint8

const (
	Unknown Kind = iota
	Site
	App
	DOOH
)

// Device is what the ad is shown on. Addresses and identifiers are here only where Consent.User
// allows them.
type Device struct {
	UserAgent  string
	Type       int // the specification's list of device types
	OS         string
	Make       string
	Model      string
	Language   string
	Connection int    // the specification's list of connection types
	Country    string // ISO 3166-1 alpha-3, in capitals
	Region     string
	Metro      string
	City       string
	Zip        string
	// rounded to a tenth of a degree; Located says that they are given
	Lat, Lon float64
	Located  bool
	// minutes east of UTC; where the exchange does not tell, Zoned is false
	UTCOffset int
	Zoned     bool
	Limited   bool // lmt or dnt: it wants no tracking
	Bot       bool // its user agent is a known crawler's
}

// User is who will see the ad. It is the zero value unless Consent.User allows more.
type User struct {
	// ID is the one that the bidder knows: buyeruid, else the exchange's id, else the device's,
	// else the first of External
	ID       string
	External []string // SOURCE/ID of eids
	Segments []string // PROVIDER/ID of user.data, in lower case, and ID alone
	Keywords []string
}

// Consent is what the request allows. The zero value allows nothing but an ad by context.
type Consent struct {
	// User says that a profile of the user may be read and written, and that its id may be kept.
	User   bool
	Reason string // why not: such as gdpr, us_privacy, gpp, coppa, gpc, lmt; empty where it is allowed
	Detail string // the reason for people: such as "purpose 4 has no consent"
}

// Imp is one place for an ad. At least one of Banner, Video, Audio and Native is there.
type Imp struct {
	ID       string
	Index    int // in the request
	Tag      string
	Floor    float64 // CPM
	FloorCur string  // USD where none is given
	Secure   bool    // markup must be https
	Full     bool    // instl: interstitial or full screen
	Rewarded bool
	Expires  time.Duration // after which a bid that won may still be shown: exp; 0: unknown
	// Multiplier is how many impressions one showing counts as, and how many times its price is
	// paid: qty, of screens outdoors. Never 0.
	Multiplier float64
	Banner     *Banner
	Video      *Video
	Audio      *Audio
	Native     *Native
	Deals      []Deal
	DealOnly   bool // private_auction
}

// Size is in pixels that do not depend on the device.
type Size struct{ W, H int }

// Banner is a place for an image or HTML.
type Banner struct {
	Sizes             []Size // all that fit; none: any
	BlockedTypes      []int  // btype
	BlockedAttributes []int
	MIMEs             []string
	APIs              []int
	Position          int // the specification's list of positions; 0: unknown
	TopFrame          bool
	Expandable        []int
}

// Video is a place for VAST.
type Video struct {
	MIMEs                    []string
	MinDuration, MaxDuration int   // seconds; MaxDuration 0: no bound
	Durations                []int // rqddurs: the only durations; none: by the bounds
	Protocols                []int // none: any
	Size                     Size  // zero: unknown
	Placement                int   // plcmt, else placement, by the list of Plcmt
	Linearity                int   // 1 linear, 2 overlay; 0: any
	Skip                     bool
	BlockedAttributes        []int
	APIs                     []int
	Position                 int
	MinBitrate, MaxBitrate   int // kbit/s; 0: no bound
	Floors                   Floors
}

// Audio is a place for VAST or DAAST.
type Audio struct {
	MIMEs                    []string
	MinDuration, MaxDuration int
	Durations                []int
	Protocols                []int
	BlockedAttributes        []int
	APIs                     []int
	MinBitrate, MaxBitrate   int
	Floors                   Floors
}

// Native is a place for an ad that the page draws of its parts.
type Native struct {
	Version           string
	BlockedAttributes []int
	APIs              []int
	Assets            []Asset
	Trackers          []Tracker // what the page can call when the ad is seen
	// Wrapped says that the answer has the member "native" around it, as version 1.0 and 1.1 want.
	Wrapped bool
}

// Asset is one part that the page asks for.
type Asset struct {
	ID       int
	Required bool
	Kind     AssetKind
	Type     int // of an image or a datum, by the lists of the specification
	Length   int // of a title or a datum: the most characters; 0: no bound
	// of an image: the size that is wanted, or the least; 0: any
	W, H, MinW, MinH int
	MIMEs            []string
	Video            *Video
}

// AssetKind is what an Asset is.
type AssetKind uint8

const (
	AssetUnknown AssetKind = iota
	AssetTitle
	AssetImage
	AssetVideo
	AssetData
)

// Tracker is an event that a native page can report, and how.
type Tracker struct {
	Event   int
	Methods []int
}

// Deal is a private offer.
type Deal struct {
	ID                string
	Floor             float64 // CPM
	FloorCur          string
	FirstPrice        bool // by its own at, else the request's
	FixedPrice        bool // at 3: Floor is the price
	Seats             []string
	AdvertiserDomains []string // the only ones; none: all
	Floors            Floors
}

// Format is one kind of ad that an Imp takes.
type Format uint8

const (
	FormatBanner Format = iota + 1
	FormatVideo
	FormatAudio
	FormatNative
)

// MarkupType is the format's number in a bid's mtype.
func (f Format) MarkupType() int { return int(f) }

func (f Format) String() string {
	return [...]string{"unknown", "banner", "video", "audio", "native"}[f]
}
