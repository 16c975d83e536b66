// Package consent decides what the privacy signals of a bid request allow: the transparency and
// consent framework of the EEA (TCF), the American signals (us_privacy and the sections of the
// global privacy platform, GPP), coppa, Global Privacy Control, and the settings of the device.
//
// The rule is the strictest one: each law that applies must allow the user's data, and a signal
// that cannot be read allows nothing. What is never decided here is whether an ad may be shown: an
// ad by context alone may.
package consent

import (
	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/internal/field"
)

// Signals are what a request says about privacy. The zero value says nothing.
type Signals struct {
	COPPA       bool // the place is directed at children
	GDPR        Applies
	TCF         string // consent string
	USPrivacy   string // such as 1YNN
	GPP         string
	GPPSections []int // gpp_sid: the sections of GPP that apply
	GPC         bool  // Global Privacy Control: of the header Sec-GPC, or regs.ext.gpc
	Limited     bool  // lmt, dnt, or an advertising id of zeros
	Country     string
	// Shared says that many people see the screen, as they do outdoors: what it reports is of no
	// single user.
	Shared bool
	// Unreadable is the path of a member about privacy that is not what the specification says.
	Unreadable string
}

// Applies says whether a law applies.
type Applies uint8

const (
	Unsaid Applies = iota
	No
	Yes
)

// Policy is what the account has settled.
type Policy struct {
	// Default says whether the GDPR applies to a request that does not tell: "yes", "no", or
	// "auto", which is also what the empty text means: where the device is in the EEA or in the
	// United Kingdom, and where a request without a country brings a consent string.
	Default string
	// Vendor is the account's number in the IAB's Global Vendor List, from 1 to 65535. With 0 only
	// the purposes of consent strings count, since their lists of vendors and their publishers'
	// restrictions name vendors by number.
	Vendor int
}

// Validate names the member that is wrong, by a *field.Error.
func (p Policy) Validate() error {
	switch p.Default {
	case "", "auto", "yes", "no":
	default:
		return field.Wrong("default", "is %q, want auto, yes or no", p.Default)
	}
	if p.Vendor < 0 || p.Vendor > 1<<16-1 {
		return field.Wrong("vendor", "is %d, want a number of the Global Vendor List between 1 and 65535, or 0 for none", p.Vendor)
	}
	return nil
}

// Reasons of auction.Consent, one for each law or signal.
const (
	COPPA      = "coppa"
	GDPR       = "gdpr"
	USPrivacy  = "us_privacy"
	GPP        = "gpp"
	GPC        = "gpc"
	Limited    = "lmt"
	Shared     = "shared_screen"
	Unreadable = "unreadable"
)

// Decide says whether the user's data may be used. Where several signals refuse, the first of the
// order coppa, unreadable, gdpr, us_privacy, gpp, gpc, lmt, shared_screen is the reason.
func Decide(s Signals, p Policy) auction.Consent {
	switch {
	case s.COPPA:
		return refuse(COPPA, "the place is directed at children")
	case s.Unreadable != "":
		return refuse(Unreadable, s.Unreadable)
	}
	g := readGPP(s.GPP, s.GPPSections)
	if s.gdprApplies(p, g) {
		if why := s.european(p, g); why != "" {
			return refuse(GDPR, why)
		}
	}
	if why := usPrivacy(s.USPrivacy); why != "" {
		return refuse(USPrivacy, why)
	}
	if why := g.american(); why != "" {
		return refuse(GPP, why)
	}
	switch {
	case s.GPC:
		return refuse(GPC, "the browser sends Global Privacy Control")
	case s.Limited:
		return refuse(Limited, "the device limits tracking")
	case s.Shared:
		return refuse(Shared, "many people see the screen")
	}
	return auction.Consent{User: true}
}

func refuse(law, detail string) auction.Consent {
	return auction.Consent{Reason: law, Detail: detail}
}

// gdprApplies is the request's word, else the account's default. A section of GPP that holds a
// European consent string and is named as applicable overrules a request that says no.
func (s *Signals) gdprApplies(p Policy, g platform) bool {
	switch {
	case s.GDPR == Yes || g.european():
		return true
	case s.GDPR == No || p.Default == "no":
		return false
	case p.Default == "yes":
		return true
	case s.Country == "":
		_, inGPP := g.section(sectionTCF)
		return s.TCF != "" || inGPP
	}
	return European(s.Country)
}

// european is the reason why the consent strings do not allow a profile, and empty where they do.
// There may be two, in user.consent and in GPP: then both must allow it.
func (s *Signals) european(p Policy, g platform) string {
	section, inGPP := g.section(sectionTCF)
	if s.TCF == "" && !inGPP {
		return "no consent string"
	}
	if s.TCF != "" {
		if why := tcf(s.TCF, p.Vendor); why != "" {
			return why
		}
	}
	if inGPP && section != s.TCF {
		return tcf(section, p.Vendor)
	}
	return ""
}

// usPrivacy reads the IAB's string of four characters: version, notice given, opted out of the sale
// of data, covered by the IAB's agreement.
func usPrivacy(s string) string {
	if s == "" {
		return ""
	}
	if len(s) != 4 || s[0] != '1' || !yesNo(s[1]) || !yesNo(s[2]) || !yesNo(s[3]) {
		return "the string cannot be read"
	}
	if s[2] == 'Y' || s[2] == 'y' {
		return "opted out of sale"
	}
	return ""
}

func yesNo(c byte) bool {
	switch c {
	case 'Y', 'y', 'N', 'n', '-':
		return true
	}
	return false
}
