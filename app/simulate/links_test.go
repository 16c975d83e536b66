package simulate

import (
	"slices"
	"testing"

	"github.com/clickloop/clickloop/bidder/auction"
)

func TestLinksAreFoundInMarkup(t *testing.T) {
	f := func(format auction.Format, markup, clicked string, shown ...string) {
		t.Helper()
		if l := linksOf(format, markup); l.clicked != clicked || !slices.Equal(l.shown, shown) {
			t.Errorf("%+v, want %q and %q", l, clicked, shown)
		}
	}
	f(auction.FormatBanner, `<A target=x HREF='http://b/n/click?a=1&amp;b=2'><IMG alt="" src = "https://cdn/x.png"/></A><img width=1 src="http://b/n/imp?t=1">`,
		"http://b/n/click?a=1&b=2", "https://cdn/x.png", "http://b/n/imp?t=1")
	f(auction.FormatVideo, `<?xml version="1.0"?><VAST><Ad><Impression id="1"> <![CDATA[ http://b/n/imp?a&b ]]> </Impression><Impression>http://b/2?a&amp;b</Impression>
		<VideoClicks><ClickThrough><![CDATA[http://b/n/click]]></ClickThrough></VideoClicks></Ad></VAST>`, "http://b/n/click", "http://b/n/imp?a&b", "http://b/2?a&b")
	f(auction.FormatNative, `{"native":{"link":{"url":"http://b/n/click"},"imptrackers":["http://b/1"],"eventtrackers":[{"event":1,"method":1,"url":"http://b/2"},{"event":1,"method":1,"url":"http://b/1"},{"event":2,"url":"http://b/3"}]}}`,
		"http://b/n/click", "http://b/1", "http://b/2")
	f(auction.FormatNative, `{"link":{"url":"http://b/c"}}`, "http://b/c")
	f(auction.FormatNative, `[]`, "")
	f(auction.FormatBanner, `no markup`, "")
}

// Links are called at the bidder, wherever it says that it is, and nobody else is called.
func TestOnlyTheBidderIsCalled(t *testing.T) {
	const base = "http://127.0.0.1:8080"
	f := func(link, want string) {
		t.Helper()
		if got := target(base, link); got != want {
			t.Errorf("%s is called at %q, want %q", link, got, want)
		}
	}
	f("https://bid.example/n/win?t=a.b&p=1", "http://127.0.0.1:8080/n/win?t=a.b&p=1")
	f("http://127.0.0.1:8080/pixel", "http://127.0.0.1:8080/pixel")
	f("/n/imp?t=1", "http://127.0.0.1:8080/n/imp?t=1")
	f("https://cdn.example/x.png", "")
	f("https://user:secret@bid.example/n/click", "http://127.0.0.1:8080/n/click")
	f("data:image/gif;base64,AA", "")
	f("%zz", "")
	f("", "")
}

func FuzzLinks(f *testing.F) {
	f.Add(1, `<a href="http://b/n/click"><img src="x"></a>`)
	f.Add(2, `<VAST><Impression><![CDATA[http://b/n/imp]]></Impression></VAST>`)
	f.Add(4, `{"native":{"link":{"url":"http://b"}}}`)
	f.Fuzz(func(t *testing.T, format int, markup string) {
		l := linksOf(auction.Format(format&3+1), markup)
		for _, link := range append(l.shown, l.clicked) {
			target("http://127.0.0.1:1", link)
		}
	})
}

// An answer of a bidder is read or refused, whatever it is.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"id":"1","seatbid":[{"bid":[{"id":"b","impid":"1","price":1,"crid":"c","adm":"<a>","w":300,"h":250}]}]}`))
	w := newWorld(1)
	f.Fuzz(func(t *testing.T, body []byte) {
		s := w.sale(1, firstDay, 0)
		best, _, err := readBids(s, body)
		if err == nil && len(best) != len(s.imps) {
			t.Fatalf("%d bids for %d slots", len(best), len(s.imps))
		}
		for i, b := range best {
			if b != nil {
				linksOf(formatOf(&s.imps[i], b), macros(s, b, s.imps[i].settle(b.Price, true), true).Replace(b.AdM))
			}
		}
	})
}
