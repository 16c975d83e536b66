package consent

import (
	"strconv"
	"strings"

	"github.com/prebid/go-gdpr/consentconstants"
	vendorconsent "github.com/prebid/go-gdpr/vendorconsent/tcf2"
)

// maxString bounds the consent strings and GPP strings that are read. The longest that consent
// platforms write have some 3,000 characters.
const maxString = 8 << 10

// Purposes of the TCF. What clickloop does with a user's data needs all four.
const (
	storage   = 1 // store and read information on a device: the user's id
	basicAds  = 2 // use limited data to select advertising
	profiling = 3 // create profiles for personalised advertising
	personal  = 4 // use profiles to select personalised advertising
)

// Restrictions that a publisher may set for a vendor's purpose.
const (
	notAllowed     = 0
	requireConsent = 1
	requireLegInt  = 2
)

// tcf is the reason why a consent string does not allow a vendor to keep a profile, and empty where
// it does. Purposes 1, 3 and 4 need consent: since version 2.2 the framework has no legitimate
// interest for them. Purpose 2 needs consent or a legitimate interest that was not objected to.
// With vendor 0 only purposes count.
//
// Strings of version 1, which ended in 2020, are no consent.
func tcf(text string, vendor int) string {
	c, why := parseTCF(text)
	if why != "" {
		return why
	}
	for _, p := range []int{storage, profiling, personal} {
		if why := byConsent(c, p, uint16(vendor)); why != "" {
			return why
		}
	}
	if byConsent(c, basicAds, uint16(vendor)) != "" && !(byInterest(c, basicAds, uint16(vendor)) && disclosed(c, text, vendor)) {
		return "purpose 2 has neither consent nor a legitimate interest"
	}
	return ""
}

// parseTCF reads a string of version 2. The library indexes beyond the end of some cut strings, so
// a panic of it counts as a string that cannot be read.
func parseTCF(text string) (c vendorconsent.ConsentMetadata, why string) {
	if len(text) > maxString {
		return c, "the consent string is longer than " + strconv.Itoa(maxString) + " bytes"
	}
	if !vendorconsent.IsConsentV2(text) {
		return c, "the consent string is not of version 2"
	}
	defer func() {
		if recover() != nil {
			why = "the consent string cannot be read"
		}
	}()
	parsed, err := vendorconsent.ParseString(text)
	if err != nil {
		return c, "the consent string cannot be read"
	}
	c, ok := parsed.(vendorconsent.ConsentMetadata)
	if !ok || c.Version() != 2 {
		return c, "the consent string is not of version 2"
	}
	return c, ""
}

// byConsent is the reason why a purpose may not rely on consent.
func byConsent(c vendorconsent.ConsentMetadata, purpose int, vendor uint16) string {
	p := "purpose " + string(rune('0'+purpose))
	switch {
	case !c.PurposeAllowed(consentconstants.Purpose(purpose)):
		return p + " has no consent"
	case vendor == 0:
		return ""
	case !c.VendorConsent(vendor):
		return "the vendor has no consent"
	case c.CheckPubRestriction(uint8(purpose), notAllowed, vendor):
		return p + " is forbidden by the publisher"
	case c.CheckPubRestriction(uint8(purpose), requireLegInt, vendor):
		return p + " must not rely on consent, says the publisher"
	}
	return ""
}

// byInterest says whether a purpose may rely on a legitimate interest.
func byInterest(c vendorconsent.ConsentMetadata, purpose int, vendor uint16) bool {
	if !c.PurposeLITransparency(consentconstants.Purpose(purpose)) {
		return false
	}
	return vendor == 0 || c.VendorLegitInterest(vendor) &&
		!c.CheckPubRestriction(uint8(purpose), notAllowed, vendor) &&
		!c.CheckPubRestriction(uint8(purpose), requireConsent, vendor)
}

// namesDisclosed is the version of the framework's policies from which a string must list the
// vendors that the user was shown.
const namesDisclosed = 5

// disclosed says whether the user was shown the vendor: without that nobody could object to its
// interest. Older strings need not tell.
func disclosed(c vendorconsent.ConsentMetadata, text string, vendor int) bool {
	if vendor == 0 {
		return true
	}
	_, rest, _ := strings.Cut(text, ".")
	for segment := range strings.SplitSeq(rest, ".") {
		b := bitReader{text: segment}
		if b.read(3) == 1 && b.ok() {
			return b.vendor(vendor)
		}
	}
	return c.TCFPolicyVersion() < namesDisclosed
}
