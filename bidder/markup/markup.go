// Package markup makes what is shown for a bid: HTML for banners, VAST for video and audio, and the
// parts of a native ad. Each has an impression pixel and a click that is redirected, with the
// signed tokens of package notice.
//
// The one invariant: no text of a creative or a request leaves its place. Whatever it holds, it is
// escaped for where it stands. Only the HTML of an HTML creative is the advertiser's own.
package markup

import (
	"errors"
	"fmt"
	"strings"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/bidder/notice"
	"github.com/clickloop/clickloop/internal/field"
)

// MaxBytes is the most bytes of one ad's markup.
const MaxBytes = 64 << 10

// ErrUnfit is wrapped by the errors of Append where the creative does not fit the imp: the bid is
// not made.
var ErrUnfit = errors.New("the creative does not fit")

func unfit(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnfit, fmt.Sprintf(format, args...))
}

// Config is what an operator says of markup. Exchanges that count clicks themselves put the
// beginning of a URL in the place of a macro of theirs, behind which the ad's own URL stands,
// escaped.
type Config struct {
	// macro that the exchange replaces by the beginning of its click URL, such as
	// %%CLICK_URL_UNESC%%; it stands before the escaped click URL. Empty: clicks come to us alone
	ClickMacro string `yaml:"click_macro"`
	// the same where the click URL is a parameter of another one ({click_encoded}), such as
	// %%CLICK_URL_ESC%%; it stands before the click URL, escaped twice
	ClickMacroEncoded string `yaml:"click_macro_encoded"`
}

// Validate names the first field that is wrong.
func (c Config) Validate() error {
	for name, macro := range map[string]string{"click_macro": c.ClickMacro, "click_macro_encoded": c.ClickMacroEncoded} {
		if len(macro) > 256 || strings.ContainsFunc(macro, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"'<>&\\`", r) }) {
			return field.Wrong(name, "is %.80q, want at most 256 printable characters without quotes, <, >, & and spaces", macro)
		}
	}
	return nil
}

// Maker makes markup. Any number of goroutines may use it.
type Maker struct {
	cfg   Config
	links *notice.Links
}

// New checks cfg and returns a Maker whose URLs are those of links.
func New(cfg Config, links *notice.Links) (*Maker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Maker{cfg: cfg, links: links}, nil
}

// Ad is a creative in its place.
type Ad struct {
	notice.Bid
	Request  string // the exchange's id of the auction
	Seat     string // of the buyer
	Domain   string // of the advertiser
	Place    *auction.Place
	Imp      *auction.Imp
	Creative *campaign.Creative
}

// Append appends the markup of an ad, in the format of its creative, which is also returned. An
// error, which wraps ErrUnfit, leaves dst as it was.
func (m *Maker) Append(dst []byte, ad *Ad) ([]byte, auction.Format, error) {
	c, imp := ad.Creative, ad.Imp
	switch {
	case c.Banner != nil && imp.Banner != nil:
		return m.within(dst, ad, auction.FormatBanner, m.AppendBanner)
	case c.Video != nil && imp.Video != nil:
		return m.within(dst, ad, auction.FormatVideo, m.AppendVideo)
	case c.Audio != nil && imp.Audio != nil:
		return m.within(dst, ad, auction.FormatAudio, m.AppendAudio)
	case c.Native != nil && imp.Native != nil:
		return m.within(dst, ad, auction.FormatNative, m.AppendNative)
	}
	return dst, 0, unfit("the imp takes no ad of its format")
}

// within holds what an append adds to the bound, and takes it back after an error.
func (m *Maker) within(dst []byte, ad *Ad, f auction.Format, add func([]byte, *Ad) ([]byte, error)) ([]byte, auction.Format, error) {
	from := len(dst)
	switch base := m.links.Of(&ad.Bid); {
	case base == "":
		return dst, f, unfit("it is not known where browsers reach this process")
	case ad.Imp.Secure && !strings.HasPrefix(base, "https://"):
		return dst, f, unfit("the imp wants https, and its notices would come to %s", base)
	}
	made, err := add(dst, ad)
	if err == nil && len(made)-from > MaxBytes {
		err = unfit("its markup has %d bytes, at most %d are allowed", len(made)-from, MaxBytes)
	}
	if err != nil {
		return made[:from], f, err
	}
	return made, f, nil
}

// loads says why a URL that an ad loads cannot be loaded there; "" where it can.
func loads(url string, secure bool) string {
	scheme, rest, _ := strings.Cut(url, "//")
	switch {
	case rest == "" || len(url) > maxURL:
		return "is no URL"
	case strings.EqualFold(scheme, "https:") || scheme == "":
		return ""
	case !strings.EqualFold(scheme, "http:"):
		return "is no URL of http or https"
	case secure:
		return "is not https, which the imp wants"
	}
	return ""
}

// maxURL bounds each URL of a creative.
const maxURL = 4096

// checkTrackers says why the further pixels of a creative cannot be loaded.
func checkTrackers(ad *Ad) error {
	for _, tracker := range ad.Creative.Trackers {
		if problem := loads(tracker, ad.Imp.Secure); problem != "" {
			return unfit("its tracker %.80q %s", tracker, problem)
		}
	}
	return nil
}
