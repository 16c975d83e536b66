package openrtb

import (
	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/consent"
)

// settleRegulations takes the signals of 2.6, and those of 2.5 where 2.6 says nothing. Prebid
// Server has the same rule (prebid-server/issues/2139 and 2749).
func (r *reader) settleRegulations() {
	s, old := &r.signals, &r.older
	if s.GDPR == consent.Unsaid {
		s.GDPR = old.gdpr
	}
	if s.TCF == "" {
		s.TCF = old.tcf
	}
	if s.USPrivacy == "" {
		s.USPrivacy = old.usPrivacy
	}
	if s.GPP == "" {
		s.GPP = old.gpp
	}
	if len(s.GPPSections) == 0 {
		s.GPPSections = old.sections
	}
	if len(r.q.User.External) == 0 {
		r.q.User.External = old.eids
	}
	if !r.q.Chain.Given {
		r.q.Chain = old.chain
	}
	if s.Country = r.q.Device.Country; s.Country == "" {
		s.Country = r.home
	}
	s.Shared = r.q.Place.Kind == auction.DOOH
	s.Limited = r.q.Device.Limited
}

// regulations reads regs. It protects the user: a request whose regs are something else is refused,
// and a member that cannot be read refuses the use of the user's data.
func (r *reader) regulations() {
	if !r.object(true) {
		return
	}
	var in regs
	for r.Key() {
		switch r.Name() {
		case "coppa":
			r.signals.COPPA = r.strict()
		case "ext":
			reason := r.within(func() { r.object(true) })
			if reason != "" {
				r.signals.Unreadable = reason
				continue
			}
			for r.Key() {
				if r.Name() == "gpc" {
					r.signals.GPC = r.strict() || r.signals.GPC
				} else {
					r.regulation(&r.older)
				}
			}
		default:
			r.regulation(&in)
		}
	}
	r.signals.GDPR, r.signals.USPrivacy, r.signals.GPP, r.signals.GPPSections = in.gdpr, in.usPrivacy, in.gpp, in.sections
}

// regulation reads a member that regs and regs.ext both may have. A version of Prebid Server's
// conversion leaves gpp and gpp_sid in ext, too (prebid-server-java/issues/2131).
func (r *reader) regulation(into *regs) {
	switch r.Name() {
	case "gdpr":
		into.gdpr = r.applies()
	case "us_privacy":
		into.usPrivacy = r.signal()
	case "gpp":
		into.gpp = r.signal()
	case "gpp_sid":
		reason := r.within(func() { into.sections = r.integers(allowList) })
		if reason != "" && r.signals.Unreadable == "" {
			r.signals.Unreadable = reason
		}
	case "dsa":
		r.disclosure()
	default:
		r.Skip()
	}
}

// disclosure reads dsa: whether bids must say who pays. 1 asks for it, 2 and 3 demand it.
func (r *reader) disclosure() {
	if !r.object(true) {
		return
	}
	for r.Key() {
		if r.Name() != "dsarequired" {
			r.Skip()
			continue
		}
		f, given, ok := r.number()
		r.q.Disclosure = !ok || given && f >= 2
	}
}

// applies reads whether a law applies. A number other than 0 counts as 1.
func (r *reader) applies() consent.Applies {
	on, given, ok := r.flag()
	switch {
	case on || !ok:
		return consent.Yes
	case given:
		return consent.No
	}
	return consent.Unsaid
}

// signal reads a text about privacy.
func (r *reader) signal() string {
	k := r.Kind()
	s, ok := r.text()
	if !ok {
		r.unreadable("is %s, expected a text", kindName(k))
	}
	return s
}
