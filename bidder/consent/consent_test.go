package consent

import (
	"strings"
	"testing"

	"github.com/clickloop/clickloop/internal/field"
)

// check decides and compares: want is "yes", or the reason and a part of the detail behind a colon.
func check(t *testing.T, s Signals, p Policy, want string) {
	t.Helper()
	got := Decide(s, p)
	law, detail, _ := strings.Cut(want, ": ")
	switch {
	case want == "yes":
		if !got.User || got.Reason != "" || got.Detail != "" {
			t.Errorf("%+v is refused: %s: %s", s, got.Reason, got.Detail)
		}
	case got.User || got.Reason != law || !strings.Contains(got.Detail, detail) || got.Detail == "":
		t.Errorf("%+v: %v %q: %q, want %q", s, got.User, got.Reason, got.Detail, want)
	}
}

// all allows every purpose to vendors 1 to 20; other strings differ from it in one respect.
var all = consentString{purposes: []int{1, 2, 3, 4, 7}, vendors: []int{1, 2, 20}}

func TestAllowedWhereNoLawApplies(t *testing.T) {
	f := func(s Signals, want string) {
		t.Helper()
		check(t, s, Policy{}, want)
	}
	f(Signals{}, "yes")
	f(Signals{Country: "USA"}, "yes")
	f(Signals{Country: "USA", GDPR: No}, "yes")
	f(Signals{Country: "DEU", GDPR: No}, "yes")
	f(Signals{Country: "JPN", TCF: "nonsense"}, "yes")
	f(Signals{Limited: true}, "lmt")
	f(Signals{GPC: true}, "gpc")
	f(Signals{Shared: true}, "shared_screen")
	f(Signals{COPPA: true}, "coppa")
	f(Signals{Unreadable: "regs.gdpr is an object"}, "unreadable: regs.gdpr is an object")
	f(Signals{Unreadable: "regs.gdpr is an object", COPPA: true}, "coppa")
}

func TestWhetherTheGDPRAppliesIsToldOrTheAccountsDefault(t *testing.T) {
	f := func(s Signals, policy, want string) {
		t.Helper()
		check(t, s, Policy{Default: policy}, want)
	}
	f(Signals{GDPR: Yes}, "no", "gdpr: no consent string")
	f(Signals{GDPR: Yes, Country: "USA"}, "auto", "gdpr: no consent string")
	f(Signals{Country: "DEU"}, "auto", "gdpr: no consent string")
	f(Signals{Country: "DEU"}, "", "gdpr: no consent string")
	f(Signals{Country: "GBR"}, "auto", "gdpr: no consent string")
	f(Signals{Country: "NOR"}, "auto", "gdpr: no consent string")
	f(Signals{Country: "CHE"}, "auto", "yes")
	f(Signals{Country: "DEU"}, "no", "yes")
	f(Signals{Country: "USA"}, "yes", "gdpr: no consent string")
	f(Signals{}, "yes", "gdpr: no consent string")
	f(Signals{TCF: "nonsense"}, "auto", "gdpr: not of version 2")
	f(Signals{TCF: all.encode()}, "auto", "yes")
	f(Signals{GPP: "DBABMA~" + consentString{}.encode()}, "auto", "gdpr: purpose 1")
}

func TestConsentStringsAllowByPurpose(t *testing.T) {
	f := func(purposes, interests []int, want string) {
		t.Helper()
		c := consentString{purposes: purposes, interests: interests}
		check(t, Signals{GDPR: Yes, TCF: c.encode()}, Policy{}, want)
	}
	f([]int{1, 2, 3, 4}, nil, "yes")
	f([]int{1, 3, 4}, []int{2}, "yes")
	f([]int{1, 3, 4}, nil, "gdpr: purpose 2 has neither")
	f([]int{2, 3, 4}, nil, "gdpr: purpose 1 has no consent")
	f([]int{2, 3, 4}, []int{1}, "gdpr: purpose 1 has no consent")
	f([]int{1, 2, 4}, []int{3}, "gdpr: purpose 3 has no consent")
	f([]int{1, 2, 3}, []int{4}, "gdpr: purpose 4 has no consent")
	f(nil, nil, "gdpr: purpose 1 has no consent")
}

func TestConsentStringsAllowByVendor(t *testing.T) {
	f := func(vendor int, c consentString, want string) {
		t.Helper()
		check(t, Signals{GDPR: Yes, TCF: c.encode()}, Policy{Vendor: vendor}, want)
		c.ranges = !c.ranges
		check(t, Signals{GDPR: Yes, TCF: c.encode()}, Policy{Vendor: vendor}, want)
	}
	with := func(change func(*consentString)) consentString {
		c := all
		change(&c)
		return c
	}
	f(20, all, "yes")
	f(3, all, "gdpr: the vendor has no consent")
	f(21, all, "gdpr: the vendor has no consent")
	f(65535, all, "gdpr: the vendor has no consent")
	interest := with(func(c *consentString) {
		c.purposes, c.interests, c.vendorInterests = []int{1, 3, 4}, []int{2}, []int{20}
	})
	f(20, interest, "yes")
	f(2, interest, "gdpr: purpose 2 has neither")
	restricted := func(purpose, kind int) consentString {
		return with(func(c *consentString) { c.restrictions = []restriction{{purpose, kind, 20}} })
	}
	f(20, restricted(4, notAllowed), "gdpr: purpose 4 is forbidden by the publisher")
	f(2, restricted(4, notAllowed), "yes")
	f(0, restricted(4, notAllowed), "yes")
	f(20, restricted(3, requireLegInt), "gdpr: purpose 3 must not rely on consent")
	f(20, restricted(3, requireConsent), "yes")
	f(20, restricted(2, notAllowed), "gdpr: purpose 2")
	f(20, restricted(2, requireLegInt), "gdpr: purpose 2")
	f(20, restricted(7, notAllowed), "yes")
	interest.restrictions = []restriction{{2, requireConsent, 20}}
	f(20, interest, "gdpr: purpose 2")
	interest.restrictions = []restriction{{2, requireLegInt, 20}}
	f(20, interest, "yes")
}

// A legitimate interest counts where the user was shown the vendor; consent needs no such list.
func TestInterestsNeedDisclosure(t *testing.T) {
	f := func(policy, vendor int, disclosed []int, want string) {
		t.Helper()
		for _, ranges := range []bool{false, true} {
			c := consentString{purposes: []int{1, 3, 4}, interests: []int{2}, vendors: []int{2, 20}, vendorInterests: []int{2, 20},
				policy: policy, disclosed: disclosed, ranges: ranges}
			check(t, Signals{GDPR: Yes, TCF: c.encode()}, Policy{Vendor: vendor}, want)
		}
	}
	f(4, 20, nil, "yes")
	f(5, 20, nil, "gdpr: purpose 2 has neither")
	f(5, 20, []int{1, 20}, "yes")
	f(5, 2, []int{1, 20}, "gdpr: purpose 2 has neither")
	f(4, 2, []int{1}, "gdpr: purpose 2 has neither")
	f(5, 20, []int{20, 300}, "yes")
	f(5, 0, nil, "yes")
	c := all
	c.policy = 5
	check(t, Signals{GDPR: Yes, TCF: c.encode()}, Policy{Vendor: 20}, "yes")
	c.purposes, c.interests, c.vendorInterests, c.disclosed = []int{1, 3, 4}, []int{2}, []int{20}, []int{20}
	text := c.encode()
	check(t, Signals{GDPR: Yes, TCF: text[:len(text)-2]}, Policy{Vendor: 20}, "gdpr: purpose 2 has neither")
}

// The strings are of public reports and of the tests of Prebid Server and go-gdpr.
func TestRealConsentStrings(t *testing.T) {
	f := func(text string, vendor int, want string) {
		t.Helper()
		check(t, Signals{GDPR: Yes, TCF: text}, Policy{Vendor: vendor}, want)
	}
	// prebid/go-gdpr/issues/20: a string of iabtcf.com that a version of the library refused; it
	// has consent for purposes 1, 3 and 4, not for 2
	reported := "COzSDo9OzSDo9B9AAAENAiCAALAAAAAAAAAACOQAQCOAAAAA.IF5EX2S5OI2tho2YdF7BEYYwfJxyigMgShgQIsS8NwIeFbBoGPmAAHBG4JAQAGBAkkACBAQIsHGBcCQABgIgRiRCMQEGMjzNKBJBAggkbI0FACCVmnkHS3ZCY70-6u__bA"
	f(reported, 0, "gdpr: purpose 2 has neither")
	f("CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA", 0, "gdpr: purpose 1 has no consent")
	f("CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA", 1, "gdpr: purpose 1 has no consent")
	// iabtcf-java/issues/136, cut
	f("CP2mzKJP2mzKJE1ACADEAdEgAP_gAAAAAAYgJepV5D7dbWFFcXp3aPtwOY0X1tDzIsQhBhSBAyAFgBOQ8JQA02EyNASgBiACEAAAoxZBAAEEHAFEAQCAQAAEAAHsIgAEgAAIIABEgBEQAAJYAAoKAIAgEAAIgAIFEgAAmBjQIdLmXUiAhIAACgAQACABAICAAgMAAAAAIAAIAAAAAAgAAgABgIAIAAAAAARAAAAAAAAAAAAAAAIAAAA", 0, "gdpr: cannot be read")
	// Prebid Server's: all purposes, vendors 2, 6 and 8
	f("COzTVhaOzTVhaGvAAAENAiCIAP_AAH_AAAAAAEEUACCKAAA", 0, "yes")
	f("COzTVhaOzTVhaGvAAAENAiCIAP_AAH_AAAAAAEEUACCKAAA", 2, "yes")
	f("COzTVhaOzTVhaGvAAAENAiCIAP_AAH_AAAAAAEEUACCKAAA", 7, "gdpr: the vendor has no consent")
	// iabtcf-es/issues/142: with a segment of disclosed vendors
	f("CLSYjTaOngnCIAOABBENAXCMAGOAABBAAA7IA5n-m7fP6_3fbqVv6E__PoA5Aqff3aJx8tv_1967rfnQEQoAIAAQCrwkAEABAcACABIMACAAuApEVABABUSABgBCAVSAtIoACACIArYQAHACgAFgAVwBJgDcAI7AWgMAAgBiKgAgBMgFfKQAQBRkQAQA4AFiBAAoA-AEVAJlAVgAtYcACAJcAr4eABAK8OgBgFzAOmAqwgABAWyA.IFukWSQh", 0, "gdpr: purpose 1 has no consent")
	// iabtcf-java/issues/139: a restriction of vendors 44800 to 20482
	f("CPJp_W2PJp_W2EyAGADEBjCgAP_AAH_AAAYgHnNf_X__bX9j-_59f_t0eY1P9_r_v-Qzjhfds-8N2L_W_L0X42E7NF36pq4KuR4Eu3LBIQFlHMHUTUmw6okVrTPsak2Mr7NKJ7LEmnMZO2dYGHtfn91TuZKYr_78_9fz3z-v_v__79f3r-3_3_v59X---_e_V399zLv9cC84A4ACgAQAA0ACKAEwALYC8wCQkBAABYAFQAMgAcABEADIAHgARAAngBVAGGAP0BIgXJJmT3MvrwBQAmABcAOqAkQBk4iAIAEwA6oCRAGTioAgATAAuAKbAXmMgBABMAXmOgLAALAAqABkADgAIgAZAA8AB8AEQAJ4AVQAuABfADEAJgAYYA_QCLAJEAZIAycBlxCAUAAsADIAIgAmABVAC4AF8AMQCRAGTkoBgACwAMgAcABEADwAIgAVQAuABfADEAkQBk5SAmAAsACoAGQAOAAiABkADwAIgATwApABVAC-AGIAfoBFgEiAMkAZOAy4.YAAAAAAADwAAAGYAAAAA", 0, "gdpr: cannot be read")
	// version 1 ended in 2020; go-gdpr/issues/24 is about such a string without vendors
	f("BOzZB5dOzZB5dADABAENABAAAAAAAA", 0, "gdpr: not of version 2")
	f("BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA", 0, "gdpr: not of version 2")
	f("BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA", 12, "gdpr: not of version 2")
	f("gdpr-consent-string", 0, "gdpr: not of version 2")
	f("C", 0, "gdpr: cannot be read")
	f("CPXxRfA=", 0, "gdpr: cannot be read")
	f(strings.Repeat("C", maxString+1), 0, "gdpr: longer than")
}

// Every string that was cut is refused, or has lost nothing that counts.
func TestCutConsentStringsAllowNothing(t *testing.T) {
	for _, ranges := range []bool{false, true} {
		c := all
		c.ranges = ranges
		c.restrictions = []restriction{{7, notAllowed, 2}, {4, notAllowed, 20}}
		text := c.encode()
		check(t, Signals{GDPR: Yes, TCF: text}, Policy{Vendor: 20}, "gdpr: purpose 4 is forbidden")
		for n := range len(text) {
			if got := Decide(Signals{GDPR: Yes, TCF: text[:n]}, Policy{Vendor: 20}); got.User {
				t.Errorf("%d of %d characters are consent", n, len(text))
			}
		}
	}
}

func TestTwoConsentStringsMustBothAllow(t *testing.T) {
	yes, no := all.encode(), consentString{}.encode()
	f := func(tcf, gpp string, sections []int, want string) {
		t.Helper()
		check(t, Signals{GDPR: Yes, TCF: tcf, GPP: gpp, GPPSections: sections}, Policy{}, want)
	}
	f(yes, "DBABMA~"+yes, []int{2}, "yes")
	f("", "DBABMA~"+yes, []int{2}, "yes")
	f(yes, "", []int{2}, "yes")
	f(yes, "DBABMA~"+no, []int{2}, "gdpr: purpose 1")
	f(no, "DBABMA~"+yes, []int{2}, "gdpr: purpose 1")
	f("Invalid", "DBABMA~"+yes, []int{2}, "gdpr: not of version 2")
	f("", "DBABMA~", []int{2}, "gdpr") // the section is empty
	f("", "", []int{2}, "gdpr: no consent string")
	f("", "DBABMA~"+yes, []int{-1}, "gdpr: no consent string")
	// a section that applies overrules the request's word
	check(t, Signals{GDPR: No, GPP: "DBABMA~" + no, GPPSections: []int{2}}, Policy{}, "gdpr: purpose 1")
}

func TestUSPrivacy(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		check(t, Signals{USPrivacy: text}, Policy{}, want)
		if gpp := "DBABTA~" + text; text != "" {
			if want != "yes" {
				want = "gpp: uspv1"
			}
			check(t, Signals{GPP: gpp, GPPSections: []int{6}}, Policy{}, want)
		}
	}
	f("", "yes")
	f("1---", "yes")
	f("1YNN", "yes")
	f("1NNN", "yes")
	f("1ynn", "yes")
	f("1YYN", "us_privacy: opted out")
	f("1yyn", "us_privacy: opted out")
	f("1NYN", "us_privacy: opted out")
	f("2YNN", "us_privacy: cannot be read")
	f("1YN", "us_privacy: cannot be read")
	f("1YXN", "us_privacy: cannot be read")
	f("{invalid}", "us_privacy: cannot be read")
}

func TestPoliciesAreChecked(t *testing.T) {
	f := func(p Policy, want string) {
		t.Helper()
		err := p.Validate()
		if want == "" {
			if err != nil {
				t.Errorf("%+v: %v", p, err)
			}
			return
		}
		if wrong, ok := err.(*field.Error); !ok || wrong.Field != want {
			t.Errorf("%+v: %v, want an error about %s", p, err, want)
		}
	}
	f(Policy{}, "")
	f(Policy{Default: "auto", Vendor: 65535}, "")
	f(Policy{Default: "maybe"}, "default")
	f(Policy{Vendor: 65536}, "vendor")
	f(Policy{Vendor: -1}, "vendor")
}
