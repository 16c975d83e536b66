package run_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/event"
)

// bits are written from the highest to the lowest.
type bits struct {
	text []byte
	n    int
}

func (b *bits) add(width int, values ...int) {
	for _, v := range values {
		for i := width - 1; i >= 0; i-- {
			if b.n%8 == 0 {
				b.text = append(b.text, 0)
			}
			b.text[b.n/8] |= byte(v>>i&1) << (7 - b.n%8)
			b.n++
		}
	}
}

func (b *bits) String() string { return base64.RawURLEncoding.EncodeToString(b.text) }

// tcf is a consent string of the TCF 2 with consent for purposes and for the first ten vendors.
func tcf(purposes ...int) string {
	var b bits
	b.add(6, 2)
	b.add(36, 17_300_000_000, 17_300_000_000) // created and updated, in tenths of seconds
	b.add(12, 10, 1)                          // who asked the user, and its version
	b.add(6, 0, 'E'-'A', 'N'-'A')
	b.add(12, 200) // of the vendor list
	b.add(6, 4)
	b.add(1, 1, 0)
	b.add(12, 0)
	for p := 1; p <= 24; p++ {
		given := 0
		for _, q := range purposes {
			if p == q {
				given = 1
			}
		}
		b.add(1, given)
	}
	b.add(24, 0)
	b.add(1, 0)
	b.add(6, 'N'-'A', 'L'-'A')
	b.add(16, 10)
	b.add(1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	b.add(16, 10)
	b.add(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b.add(12, 0)
	return b.String()
}

// usnat is a GPP string with the section of the United States: 1 opted out of sale, sharing and
// targeted advertising, 2 did not.
func usnat(optedOut int) string {
	var b bits
	b.add(6, 1)
	b.add(2, 1, 1, 1, 1, 1, 1, optedOut, optedOut, optedOut)
	b.add(2, make([]int, 12+2)...)
	b.add(2, 0, 2, 2, 2)
	return "DBABLA~" + b.String()
}

// A refusal reaches the bidder through Prebid Server in either version, and then nothing of the
// user stands on a topic. The ids of those who agreed are there: the search finds what is there.
// Prebid Server takes the user's id out for a child and for limited tracking, but leaves the eids.
func TestPrebidServerPassesConsent(t *testing.T) {
	l := bidding(t)
	p := newPrebidServer(t, l.HTTP)
	type member = []string
	var forbidden, allowed []string
	for n, c := range []struct {
		name    string
		more    member // of the request; USER stands for the members of the user that the case adds to
		header  member
		arrives string // path=value in the request of vrtcal
		old     string // the same of automatad, which speaks 2.5
		user    bool   // whether the bidder may know the user
	}{
		{"no law", member{}, nil, "", "", true},
		{"consent", member{"regs", `{"gdpr":1}`, "user", `{USER,"consent":"` + tcf(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) + `"}`}, nil, "regs.gdpr=1", "regs.ext.gdpr=1", true},
		{"consent in the older places", member{"regs", `{"ext":{"gdpr":1}}`, "user", `{USER,"ext":{"consent":"` + tcf(1, 2, 3, 4, 7) + `"}}`}, nil, "user.consent=" + tcf(1, 2, 3, 4, 7), "user.ext.consent=" + tcf(1, 2, 3, 4, 7), true},
		{"consent without a profile", member{"regs", `{"gdpr":1}`, "user", `{USER,"consent":"` + tcf(1, 2, 7) + `"}`}, nil, "regs.gdpr=1", "regs.ext.gdpr=1", false},
		{"no consent at all", member{"regs", `{"gdpr":1}`, "user", `{USER,"consent":"` + tcf() + `"}`}, nil, "user.consent=" + tcf(), "user.ext.consent=" + tcf(), false},
		{"GDPR without a string", member{"regs", `{"gdpr":1}`}, nil, "regs.gdpr=1", "regs.ext.gdpr=1", false},
		{"GDPR with a string that is none", member{"regs", `{"gdpr":1}`, "user", `{USER,"consent":"BOOgjO9OOgjO9APABAENAi"}`}, nil, "regs.gdpr=1", "regs.ext.gdpr=1", false},
		{"us_privacy", member{"regs", `{"us_privacy":"1YNN"}`}, nil, "regs.us_privacy=1YNN", "regs.ext.us_privacy=1YNN", true},
		{"us_privacy, opted out", member{"regs", `{"us_privacy":"1YYN"}`}, nil, "regs.us_privacy=1YYN", "regs.ext.us_privacy=1YYN", false},
		{"GPP", member{"regs", `{"gpp":"` + usnat(2) + `","gpp_sid":[7]}`}, nil, "regs.gpp=" + usnat(2), "regs.ext.gdpr=0", true},
		{"GPP, opted out", member{"regs", `{"gpp":"` + usnat(1) + `","gpp_sid":[7]}`}, nil, "regs.gpp=" + usnat(1), "regs.gpp=" + usnat(1), false},
		{"GPP with us_privacy in it, opted out", member{"regs", `{"gpp":"DBABTA~1YYN","gpp_sid":[6]}`}, nil, "regs.gpp=DBABTA~1YYN", "regs.ext.us_privacy=1YYN", false},
		{"a child", member{"regs", `{"coppa":1}`}, nil, "regs.coppa=1", "regs.coppa=1", false},
		{"global privacy control", member{}, member{"Sec-GPC", "1"}, "regs.ext.gpc=1", "regs.ext.gpc=1", false},
		{"limited tracking", member{"device", `{"ua":"Mozilla/5.0","lmt":1}`}, nil, "device.lmt=1", "device.lmt=1", false},
	} {
		user := fmt.Sprintf("person-%02d-%s", n, strings.Repeat("x", 8))
		members := fmt.Sprintf(`"id":%q,"eids":[{"source":"id.example","uids":[{"id":"eid-%s"}]}]`, user, user)
		more := append(member{"user", "{" + members + "}", "site", `{"domain":"news.example","page":"https://news.example/a","publisher":{"id":"trusting"}}`}, c.more...)
		for i := range more {
			more[i] = strings.ReplaceAll(more[i], "USER", members)
		}
		if c.user {
			allowed = append(allowed, user)
		} else {
			forbidden = append(forbidden, user)
		}
		answer, bids, sent := p.auction(page(fmt.Sprint("auction-", n), []string{imp("i", bannerPlace, "automatad", "vrtcal", "medianet")}, more...), c.header...)
		if len(bids) != 3 {
			t.Errorf("%s: bids %q, want all adapters': an ad by context needs no consent: %v", c.name, where(bids), answer.Ext.Errors)
		}
		for adapter, want := range map[string]string{"vrtcal": c.arrives, "automatad": c.old} {
			path, value, _ := strings.Cut(want, "=")
			if a := sentBy(t, sent, adapter); want != "" && fmt.Sprint(at(a.body, path)) != value {
				t.Errorf("%s: %s sent %s %v, want %s", c.name, adapter, path, at(a.body, path), value)
			}
		}
		if got := sentBy(t, sent, "medianet").header.Get("Sec-GPC"); (got == "1") != (c.header != nil) {
			t.Errorf("%s: Sec-GPC is %q", c.name, got)
		}
		for _, b := range bids {
			fired(t, l, b)
		}
	}
	var text []byte
	for _, topic := range append(event.Topics(config.Default().Objectives, 1), event.BiddingTopics()...) {
		text = append(text, bytes.Join(records(t, l, topic.Name), []byte("\n"))...)
	}
	for _, user := range forbidden {
		if bytes.Contains(text, []byte(user)) {
			t.Errorf("the topics hold %s, who may not be known", user)
		}
	}
	for _, user := range allowed {
		if !bytes.Contains(text, []byte(user)) {
			t.Errorf("the topics do not hold %s, who agreed", user)
		}
	}
	if bytes.Contains(text, []byte("203.0.113")) {
		t.Error("the topics hold an address")
	}
}

// Prebid Server without a vendor list may let no vendor have an id: it asks without one.
func TestPrebidServerThatWithholdsTheUserGetsBids(t *testing.T) {
	l := bidding(t)
	p := newPrebidServer(t, l.HTTP)
	_, bids, sent := p.auction(page("auction-1", []string{imp("i", bannerPlace, "automatad", "vrtcal", "medianet")},
		"regs", `{"gdpr":1}`, "user", `{"id":"person","consent":"`+tcf(1, 2, 3, 4, 7)+`"}`))
	if len(bids) != 3 || at(sentBy(t, sent, "vrtcal").body, "user.id") != nil {
		t.Errorf("bids %q, asked with the user %v", where(bids), at(sentBy(t, sent, "vrtcal").body, "user.id"))
	}
}
