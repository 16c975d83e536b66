package markup

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/bidder/notice"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/signing"
)

const (
	base    = "https://bid.example/"
	landing = "https://shop.example/x?a=1&b=2"
)

var now = event.Time(1_795_000_000_000)

func ring(t testing.TB) *signing.Ring {
	t.Helper()
	r, err := signing.Hold("a secret of markup's tests")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func maker(t testing.TB, cfg Config) *Maker {
	t.Helper()
	links, err := notice.NewLinks(base, ring(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(cfg, links)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// attacks are texts that would leave their place if anything let them.
var attacks = []string{
	`"'><script>alert(1)</script>`, `</script><img src=x onerror=alert(1)>`, `]]><x>`, "a\nb\r\n\tc", "ünïcödé 日本 \u2028\u2029", "\x00\x01\x7f\ufffe", "bad\xffutf8",
	`&amp;&lt;&`, `--><!--`, `\"\u0022\\`, `{click}{price}${AUCTION_PRICE}`, `%3Cscript%3E`, "javascript:alert(1)", `" onload="x`,
}

func bid() notice.Bid {
	return notice.Bid{ID: "r-1.0", Campaign: "c1", Ad: "a1", Price: 1200, Issued: now, Expires: now.Add(time.Minute)}
}

func banner() *Ad {
	return &Ad{
		Bid: bid(), Request: "r", Imp: &auction.Imp{ID: "1", Banner: &auction.Banner{}},
		Creative: &campaign.Creative{ID: "a1", Landing: landing, Secure: true, Banner: &campaign.BannerCreative{W: 300, H: 250, Image: "https://cdn.example/a.png?x=1&y=2"}},
	}
}

func video() *Ad {
	return &Ad{
		Bid: bid(), Request: "r", Imp: &auction.Imp{ID: "1", Video: &auction.Video{MIMEs: []string{"video/mp4"}}},
		Creative: &campaign.Creative{ID: "a1", Landing: landing, Secure: true, Video: &campaign.VideoCreative{
			Duration: 15500 * time.Millisecond, W: 640, H: 360, SkipAfter: 5 * time.Second,
			Files: []campaign.MediaFile{
				{URL: "https://cdn.example/a.webm", MIME: "video/webm", Bitrate: 500, W: 640, H: 360},
				{URL: "https://cdn.example/a.mp4?x=1&y=2", MIME: "video/mp4", Bitrate: 800, W: 640, H: 360},
				{URL: "http://cdn.example/b.mp4", MIME: "video/mp4", Bitrate: 2500, W: 1280, H: 720},
			},
		}},
	}
}

func native() *Ad {
	return &Ad{
		Bid: bid(), Request: "r", Domain: "shop.example",
		Imp: &auction.Imp{ID: "1", Native: &auction.Native{Version: "1.2", Assets: []auction.Asset{
			{ID: 7, Required: true, Kind: auction.AssetTitle, Length: 25},
			{ID: 8, Required: true, Kind: auction.AssetImage, Type: 3, MinW: 600, MinH: 300},
			{ID: 9, Kind: auction.AssetData, Type: 2, Length: 10},
			{ID: 10, Kind: auction.AssetData, Type: 4}, // likes, of which there are none
			{ID: 11, Kind: auction.AssetImage, Type: 1, W: 80, H: 80},
			{ID: 12, Kind: auction.AssetData, Type: 12},
		}}},
		Creative: &campaign.Creative{ID: "a1", Landing: landing, Secure: true, Native: &campaign.NativeCreative{
			Title: "Shoes", Body: "Very good shoes", CTA: "Buy", Icon: campaign.Image{URL: "https://cdn.example/i.png", W: 100, H: 100},
			Main: campaign.Image{URL: "https://cdn.example/m.jpg", W: 1200, H: 627},
		}},
	}
}

func made(t *testing.T, m *Maker, ad *Ad) string {
	t.Helper()
	b, f, err := m.Append([]byte("before "), ad)
	if err != nil || f == 0 {
		t.Fatalf("%v: %v", f, err)
	}
	text, ok := strings.CutPrefix(string(b), "before ")
	if !ok {
		t.Fatalf("what stood before is gone: %s", b)
	}
	return text
}

// element is one of HTML or XML, as a parser finds it.
type found struct {
	name  string
	attrs map[string]string
	text  string
	path  string
}

// elements parses HTML or, strictly, XML.
func elements(t *testing.T, text string, strict bool) (all []*found) {
	t.Helper()
	const root = "all/"
	if !strict { // the parser does not end what only the end of the text ends
		text = "<all>" + text + "</all>"
	}
	d := xml.NewDecoder(strings.NewReader(text))
	if !strict {
		d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	}
	var open []*found
	for {
		token, err := d.Token()
		switch x := token.(type) {
		case xml.StartElement:
			e := &found{name: x.Name.Local, attrs: map[string]string{}}
			for _, a := range x.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			for _, o := range open {
				e.path += o.name + "/"
			}
			e.path = strings.TrimPrefix(e.path+e.name, root)
			all, open = append(all, e), append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(x)
			}
		}
		if errors.Is(err, io.EOF) {
			if !strict {
				all = all[1:]
			}
			return all
		}
		if err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
	}
}

func one(t *testing.T, all []*found, path string) *found {
	t.Helper()
	i := slices.IndexFunc(all, func(e *found) bool { return e.path == path })
	if i < 0 {
		t.Fatalf("there is no %s", path)
	}
	return all[i]
}

// opened is the token of a URL of ours, which must be good for its kind.
func opened(t *testing.T, text string, kind notice.Kind) notice.Token {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil || !strings.HasPrefix(text, base+"n/"+kind.String()+"?") {
		t.Fatalf("%q is no URL of a %v (%v)", text, kind, err)
	}
	token, v := notice.Open(ring(t).Keys(), u.Query().Get("t"), kind, now, time.Hour)
	if v != notice.Valid || token.ID != "r-1.0" || token.Campaign != "c1" || token.Ad != "a1" || token.Price != 1200 {
		t.Fatalf("%q holds %+v: %v", text, token, v)
	}
	return token
}

func TestAnImageIsALinkWithPixels(t *testing.T) {
	ad := banner()
	ad.Creative.Trackers = []string{"https://track.example/p?cb={cachebuster}&p={price}&x=<y>"}
	all := elements(t, made(t, maker(t, Config{}), ad), false)
	link := one(t, all, "a")
	if got := opened(t, link.attrs["href"], notice.Click).Target; got != landing {
		t.Errorf("the click leads to %q", got)
	}
	if link.attrs["target"] != "_blank" || link.attrs["rel"] != "noopener" {
		t.Errorf("the link is %v", link.attrs)
	}
	img := one(t, all, "a/img")
	if img.attrs["src"] != ad.Creative.Banner.Image || img.attrs["width"] != "300" || img.attrs["height"] != "250" {
		t.Errorf("the image is %v", img.attrs)
	}
	var pixels []string
	for _, e := range all {
		if e.path == "img" {
			pixels = append(pixels, e.attrs["src"])
		}
	}
	if len(pixels) != 2 {
		t.Fatalf("pixels are %q", pixels)
	}
	opened(t, pixels[0], notice.Impression)
	if !strings.HasSuffix(pixels[0], "&p=${AUCTION_PRICE}&c=${AUCTION_CURRENCY}") {
		t.Errorf("the pixel is %q", pixels[0])
	}
	if !strings.HasPrefix(pixels[1], "https://track.example/p?cb=") || !strings.HasSuffix(pixels[1], "&p=${AUCTION_PRICE}&x=%3Cy%3E") || strings.Contains(pixels[1], "cachebuster") {
		t.Errorf("the tracker is %q", pixels[1])
	}
}

func TestHTMLHasItsMacrosReplaced(t *testing.T) {
	m := maker(t, Config{})
	ad := banner()
	ad.Request, ad.Seat, ad.Place = `q"<&`, "s", &auction.Place{Domain: "news.example"}
	ad.Creative.Banner = &campaign.BannerCreative{W: 300, H: 250, HTML: `<html><body><script>var a={x:{y:1}},c="{click}";</script><a href='{click}'>x</a>` +
		`<img src="https://ads.example/?r={click_encoded}&q={request}&s={site}&w={width}&u={unknown}&p={price}"></body></html>`}
	text := made(t, m, ad)
	all := elements(t, text, false)
	click := one(t, all, "html/body/a").attrs["href"]
	if opened(t, click, notice.Click).Target != landing || strings.ContainsAny(click, `&"'<> `) {
		t.Errorf("the click is %q", click)
	}
	if want := `var a={x:{y:1}},c="` + click + `";`; one(t, all, "html/body/script").text != want {
		t.Errorf("the script is %q, want %q", one(t, all, "html/body/script").text, want)
	}
	if got, want := one(t, all, "html/body/img").attrs["src"], "https://ads.example/?r="+url.QueryEscape(click)+"&q=q%22%3C%26&s=news.example&w=300&u={unknown}&p=${AUCTION_PRICE}"; got != want {
		t.Errorf("the image is\n%s, want\n%s", got, want)
	}
	if !strings.HasSuffix(text, `visibility:hidden"></body></html>`) {
		t.Errorf("the pixel is not at the end of the body: %s", text)
	}
	again := made(t, m, ad)
	if again != text {
		t.Error("the same bid has another markup")
	}
}

// An exchange that counts clicks gets our URL escaped behind its own.
func TestAnExchangesClickMacroStandsBeforeTheURL(t *testing.T) {
	m := maker(t, Config{ClickMacro: "%%CLICK_URL_UNESC%%", ClickMacroEncoded: "%%CLICK_URL_ESC%%"})
	ad := banner()
	ad.Creative.Banner.HTML = `<a href="{click}"></a><a rel="{click_encoded}"></a>`
	text := made(t, m, ad)
	_, rest, _ := strings.Cut(text, `href="%%CLICK_URL_UNESC%%`)
	ours, _, _ := strings.Cut(rest, `"`)
	plain, err := url.QueryUnescape(ours)
	if err != nil {
		t.Fatal(err)
	}
	opened(t, plain, notice.Click)
	if !strings.Contains(text, `rel="%%CLICK_URL_ESC%%`+url.QueryEscape(ours)+`"`) {
		t.Errorf("as a parameter it is not escaped twice: %s", text)
	}
	all := elements(t, made(t, m, video()), true)
	if got := one(t, all, "VAST/Ad/InLine/Creatives/Creative/Linear/VideoClicks/ClickThrough").text; !strings.HasPrefix(got, "%%CLICK_URL_UNESC%%https%3A%2F%2Fbid") {
		t.Errorf("of a video: %s", got)
	}
	for _, wrong := range []string{`"`, "a b", "<", "é", strings.Repeat("x", 257)} {
		if err := (Config{ClickMacro: wrong}).Validate(); err == nil {
			t.Errorf("the macro %q is allowed", wrong)
		}
	}
}

func TestTheLandingKnowsTheAuction(t *testing.T) {
	m := maker(t, Config{})
	f := func(landing, want string) {
		t.Helper()
		ad := banner()
		ad.Request, ad.Creative.Landing = "r&1", landing
		text, _, err := m.Append(nil, ad)
		if want == "" {
			if !errors.Is(err, ErrUnfit) || len(text) > 0 {
				t.Errorf("%q: %v, %s", landing, err, text)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := opened(t, one(t, elements(t, string(text), false), "a").attrs["href"], notice.Click).Target; got != want {
			t.Errorf("%q leads to %q, want %q", landing, got, want)
		}
	}
	f("https://x.example/?r={request}&b={bid}&c={campaign}&a={ad}", "https://x.example/?r=r%261&b=r-1.0&c=c1&a=a1")
	f("https://x.example/?r=${AUCTION_ID}&i=${AUCTION_IMP_ID}&p=${AUCTION_PRICE}&q={price}&l=${AUCTION_LOSS}", "https://x.example/?r=r%261&i=1&p=&q=&l=")
	f("https://x.example/${AUCTION_", "https://x.example/${AUCTION_")
	f("https://x.example/ä b\"<>", "https://x.example/%C3%A4%20b%22%3C%3E")
	f("http://x.example", "http://x.example")
	f("https://x.example/50%?off=10%&y=%4", "https://x.example/50%25?off=10%25&y=%254")
	f("https://x.example/%e4%C3?y=%2F", "https://x.example/%e4%C3?y=%2F")
	f("https://x.example/{click}", "https://x.example/{click}")
	f("javascript:alert(1)", "")
	f("//x.example/", "")
	f("/x", "")
	f("", "")
	f("https:///x", "")
	f("https://user:pw@x.example/", "")
	f("data:text/html,x", "")
	f("https://x.example/"+strings.Repeat("x", 3000), "")
}

func TestOnlyWhatIsSecureIsLoadedByASecurePage(t *testing.T) {
	m := maker(t, Config{})
	f := func(change func(*Ad), ad *Ad, fits bool) {
		t.Helper()
		change(ad)
		ad.Imp.Secure = true
		text, _, err := m.Append(nil, ad)
		if (err == nil) != fits || err != nil && !errors.Is(err, ErrUnfit) {
			t.Fatalf("%v", err)
		}
		if strings.Contains(strings.ReplaceAll(string(text), `xmlns="http://`, ""), "http://") {
			t.Errorf("it loads by http: %s", text)
		}
	}
	same := func(*Ad) {}
	f(same, banner(), true)
	f(same, video(), true) // without the file of http
	f(same, native(), true)
	f(func(ad *Ad) { ad.Creative.Banner.Image = "//cdn.example/a.png" }, banner(), true)
	f(func(ad *Ad) { ad.Creative.Banner.Image = "http://cdn.example/a.png" }, banner(), false)
	f(func(ad *Ad) { ad.Creative.Trackers = []string{"http://cdn.example/a.png"} }, banner(), false)
	f(func(ad *Ad) { ad.Creative.Banner.HTML, ad.Creative.Secure = "<p>", false }, banner(), false)
	f(func(ad *Ad) { ad.Creative.Video.Files = ad.Creative.Video.Files[2:] }, video(), false)
	f(func(ad *Ad) { ad.Creative.Native.Main.URL = "http://cdn.example/a.png" }, native(), false)
	f(func(ad *Ad) { ad.Base = "http://bid.example/" }, banner(), false)
	ad := banner()
	ad.Base = "http://127.0.0.1:8080/"
	if text := made(t, m, ad); !strings.Contains(text, `href="http://127.0.0.1:8080/n/click?t=`) {
		t.Errorf("a bid's own base is not taken: %s", text)
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	m := maker(t, Config{})
	f := func(ad *Ad, change func(*Ad), want string) {
		t.Helper()
		change(ad)
		text, _, err := m.Append([]byte("x"), ad)
		if !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), want) || string(text) != "x" {
			t.Errorf("%v with %q, want %q", err, text, want)
		}
	}
	f(banner(), func(ad *Ad) { ad.Imp.Banner = nil }, "no ad of its format")
	f(banner(), func(ad *Ad) { ad.Imp.Banner.MIMEs = []string{"image/gif"} }, "is of a type")
	f(banner(), func(ad *Ad) { ad.Creative.Banner.Image = "javascript://alert(1)" }, "no URL of http")
	f(banner(), func(ad *Ad) { ad.Creative.Trackers = []string{"data:x"} }, "tracker")
	f(banner(), func(ad *Ad) { ad.Creative.Banner.HTML = strings.Repeat("x", MaxBytes) }, "at most 65536")
	f(banner(), func(ad *Ad) { ad.Creative.Banner.HTML = strings.Repeat("x", MaxBytes+1) }, "at most 65536")
	f(video(), func(ad *Ad) { ad.Imp.Video.Protocols = []int{1, 4, 9} }, "VAST 2.0 to 4.2")
	f(video(), func(ad *Ad) { ad.Imp.Video.Linearity = 2 }, "overlays")
	f(video(), func(ad *Ad) { ad.Imp.Video.MIMEs = []string{"video/3gpp"} }, "no file")
	f(video(), func(ad *Ad) { ad.Imp.Video.MaxBitrate = 700 }, "no file")
	f(native(), func(ad *Ad) { ad.Creative.Native.Title = "" }, "asset 7")
	f(native(), func(ad *Ad) { ad.Imp.Native.Assets[1].MinW = 2000 }, "asset 8")
	f(native(), func(ad *Ad) { ad.Creative.Landing = "javascript://x" }, "landing")
}

// vastOrder is the order of an InLine's members in the schema of each version.
var vastOrder = map[string]string{
	"2.0": "AdSystem AdTitle Impression Impression Creatives", "3.0": "AdSystem AdTitle Impression Impression Creatives",
	"4.0": "AdSystem Impression Impression ViewableImpression AdTitle Creatives",
	"4.1": "AdSystem Impression Impression ViewableImpression AdServingId AdTitle Creatives",
	"4.2": "AdSystem Impression Impression ViewableImpression AdServingId AdTitle Creatives",
}

func TestAVideoIsAVASTOfTheVersionThatTheImpTakes(t *testing.T) {
	m := maker(t, Config{})
	f := func(protocols []int, own int, want string) {
		t.Helper()
		ad := video()
		ad.Imp.Video.Protocols, ad.Creative.Video.Protocol = protocols, own
		ad.Creative.Trackers = []string{"https://track.example/v?x=]]>"}
		all := elements(t, made(t, m, ad), true)
		if all[0].attrs["version"] != want {
			t.Errorf("%v and %d: version %s, want %s", protocols, own, all[0].attrs["version"], want)
		}
		var order []string
		for _, e := range all {
			if strings.Count(e.path, "/") == 3 {
				order = append(order, e.name)
			}
		}
		if got := strings.Join(order, " "); got != vastOrder[want] {
			t.Errorf("%s: members are %s, want %s", want, got, vastOrder[want])
		}
		opened(t, one(t, all, "VAST/Ad/InLine/Impression").text, notice.Impression)
		linear := "VAST/Ad/InLine/Creatives/Creative/Linear/"
		if got := opened(t, one(t, all, linear+"VideoClicks/ClickThrough").text, notice.Click).Target; got != landing {
			t.Errorf("the click leads to %q", got)
		}
		if got := one(t, all, linear+"Duration").text; got != "00:00:15.500" {
			t.Errorf("it lasts %s", got)
		}
		if got := one(t, all, strings.TrimSuffix(linear, "/")).attrs["skipoffset"]; got != "00:00:05" && want != "2.0" {
			t.Errorf("it can be skipped at %q", got)
		}
		steps, files := 0, 0
		for _, e := range all {
			switch e.path {
			case linear + "TrackingEvents/Tracking":
				opened(t, e.text, notice.Progress)
				u, _ := url.Parse(e.text)
				if steps++; notice.Steps[u.Query().Get("e")] == "" {
					t.Errorf("%s is tracked by %s", e.attrs["event"], e.text)
				}
			case linear + "MediaFiles/MediaFile":
				if files++; e.attrs["type"] != "video/mp4" || e.attrs["width"] == "" || e.attrs["delivery"] != "progressive" {
					t.Errorf("a file is %v", e.attrs)
				}
			}
		}
		if wantSteps := map[bool]int{true: 5, false: 6}[want == "2.0"]; steps != wantSteps || files != 2 {
			t.Errorf("%d steps and %d files", steps, files)
		}
	}
	f(nil, 0, "3.0")
	f(nil, 7, "4.0")
	f([]int{2, 3, 5, 6}, 0, "3.0")
	f([]int{2, 3, 7, 11, 13}, 0, "4.2")
	f([]int{2, 3, 7, 11, 13}, 3, "3.0")
	f([]int{2, 11}, 3, "4.1")
	f([]int{2}, 7, "2.0")
	f([]int{7}, 0, "4.0")
}

func TestFilesFitTheBitRates(t *testing.T) {
	ad := video()
	ad.Imp.Video.MIMEs, ad.Imp.Video.MinBitrate, ad.Imp.Video.MaxBitrate = nil, 600, 900
	files := 0
	for _, e := range elements(t, made(t, maker(t, Config{}), ad), true) {
		if e.name == "MediaFile" {
			if files++; e.text != "https://cdn.example/a.mp4?x=1&y=2" || e.attrs["bitrate"] != "800" {
				t.Errorf("%s of %v", e.text, e.attrs)
			}
		}
	}
	if files != 1 {
		t.Errorf("%d files", files)
	}
}

func TestASoundIsAVASTOfTypeAudio(t *testing.T) {
	ad := video()
	ad.Imp.Video, ad.Creative.Video = nil, nil
	ad.Imp.Audio = &auction.Audio{MIMEs: []string{"audio/mpeg"}, Protocols: []int{3, 11}}
	ad.Creative.Audio = &campaign.AudioCreative{Duration: 30 * time.Second, Files: []campaign.MediaFile{{URL: "https://cdn.example/a.mp3", MIME: "audio/mpeg", Bitrate: 128}}}
	all := elements(t, made(t, maker(t, Config{}), ad), true)
	if all[0].attrs["version"] != "4.1" || one(t, all, "VAST/Ad").attrs["adType"] != "audio" {
		t.Errorf("%v %v", all[0].attrs, all[1].attrs)
	}
	ad.Imp.Audio.Protocols = []int{9, 10} // DAAST
	if _, _, err := maker(t, Config{}).Append(nil, ad); !errors.Is(err, ErrUnfit) {
		t.Error(err)
	}
}

// answer is a native response as the specification has it.
type answer struct {
	Ver    string
	Assets []struct {
		ID    int
		Title *struct{ Text string }
		Img   *struct {
			Type, W, H int
			URL        string
		}
		Data *struct {
			Type  int
			Value string
		}
	}
	Link struct {
		URL           string
		ClickTrackers []string
	}
	ImpTrackers   []string
	EventTrackers []struct {
		Event, Method int
		URL           string
	}
}

func parsed(t *testing.T, text string) (a answer) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil || d.More() {
		t.Fatalf("%v: %s", err, text)
	}
	return a
}

func TestANativeAdHasThePartsThatAreAskedFor(t *testing.T) {
	m := maker(t, Config{})
	ad := native()
	a := parsed(t, made(t, m, ad))
	var ids []int
	for _, x := range a.Assets {
		ids = append(ids, x.ID)
	}
	if a.Ver != "1.2" || fmt.Sprint(ids) != "[7 8 9 11 12]" {
		t.Fatalf("version %s, assets %v", a.Ver, ids)
	}
	if a.Assets[0].Title.Text != "Shoes" || a.Assets[1].Img.URL != "https://cdn.example/m.jpg" || a.Assets[1].Img.W != 1200 || a.Assets[1].Img.Type != 3 ||
		a.Assets[2].Data.Value != "Very good" || a.Assets[2].Data.Type != 2 || a.Assets[3].Img.URL != "https://cdn.example/i.png" || a.Assets[4].Data.Value != "Buy" {
		t.Errorf("%+v", a.Assets)
	}
	if opened(t, a.Link.URL, notice.Click).Target != landing || a.Link.ClickTrackers != nil {
		t.Errorf("the link is %+v", a.Link)
	}
	if len(a.ImpTrackers) != 1 || a.EventTrackers != nil {
		t.Fatalf("trackers are %v and %v", a.ImpTrackers, a.EventTrackers)
	}
	opened(t, a.ImpTrackers[0], notice.Impression)
}

func TestANativeAdTellsInTheWayThatThePageCan(t *testing.T) {
	m := maker(t, Config{})
	f := func(version string, can []auction.Tracker, impressions int, events string) {
		t.Helper()
		ad := native()
		ad.Imp.Native.Version, ad.Imp.Native.Trackers = version, can
		ad.Creative.Trackers = []string{"https://track.example/x"}
		a := parsed(t, made(t, m, ad))
		var told []string
		for _, e := range a.EventTrackers {
			told = append(told, fmt.Sprint(e.Event, e.Method))
		}
		if len(a.ImpTrackers) != impressions || strings.Join(told, ",") != events {
			t.Errorf("%s %v: %d imptrackers and events %v", version, can, len(a.ImpTrackers), told)
		}
		if want := map[string]string{"1.0": "", "1.1": "1.1"}; version != "1.2" && (a.Ver != want[version] || a.Assets[1].Img.Type != 0) {
			t.Errorf("%s: version %q, image %+v", version, a.Ver, a.Assets[1].Img)
		}
	}
	f("1.2", nil, 2, "")
	f("1.2", []auction.Tracker{{Event: 1, Methods: []int{2, 1}}}, 0, "1 1,1 1")
	f("1.2", []auction.Tracker{{Event: 1, Methods: []int{1}}, {Event: 2, Methods: []int{1}}}, 0, "1 1,1 1,2 1")
	f("1.2", []auction.Tracker{{Event: 1, Methods: []int{2}}, {Event: 2, Methods: []int{1}}}, 2, "2 1")
	f("1.1", []auction.Tracker{{Event: 1, Methods: []int{1}}}, 2, "")
	f("1.0", nil, 2, "")

	ad := native()
	ad.Imp.Native.Wrapped = true
	ad.Creative.Landing = "market://details?id=x&y=<z>"
	var wrapped struct{ Native json.RawMessage }
	if err := json.Unmarshal([]byte(made(t, m, ad)), &wrapped); err != nil {
		t.Fatal(err)
	}
	a := parsed(t, string(wrapped.Native))
	if a.Link.URL != "market://details?id=x&y=%3Cz%3E" || len(a.Link.ClickTrackers) != 1 || opened(t, a.Link.ClickTrackers[0], notice.Click).Target != "" {
		t.Errorf("the link into an app is %+v", a.Link)
	}
}

func TestTextsAreCutAtCharacters(t *testing.T) {
	f := func(s string, n int, want string) {
		t.Helper()
		if got := cutTo(s, n); got != want {
			t.Errorf("%q cut to %d is %q, want %q", s, n, got, want)
		}
	}
	f("日本語", 2, "日本")
	f("日本語", 3, "日本語")
	f("日本語", 0, "日本語")
	f("a b", 2, "a")
	f("", 1, "")
	f("ab\xff\xffc", 3, "ab\xff")
}

func TestImagesFitTheirAsset(t *testing.T) {
	f := func(w, h int, a auction.Asset, want bool) {
		t.Helper()
		if got := sizeFits(&campaign.Image{W: w, H: h}, &a); got != want {
			t.Errorf("%dx%d for %+v: %v", w, h, a, got)
		}
	}
	f(0, 0, auction.Asset{}, true)
	f(0, 0, auction.Asset{W: 1, H: 1}, false)
	f(300, 250, auction.Asset{W: 300, H: 250}, true)
	f(600, 500, auction.Asset{W: 300, H: 250}, true)
	f(600, 400, auction.Asset{W: 300, H: 250}, false)
	f(200, 200, auction.Asset{W: 300, H: 250}, false)
	f(200, 200, auction.Asset{W: 300, H: 250, MinW: 200, MinH: 200}, true)
	f(199, 300, auction.Asset{MinW: 200}, false)
	f(300, 10, auction.Asset{W: 300}, true)
}

// Whatever the texts of a creative and a request hold, a parser finds the same elements, and the
// texts in their places.
func TestNoTextLeavesItsPlace(t *testing.T) {
	m := maker(t, Config{})
	shape := func(all []*found) (s []string) {
		for _, e := range all {
			names := []string{e.path}
			for name := range e.attrs {
				names = append(names, name)
			}
			slices.Sort(names[1:])
			s = append(s, strings.Join(names, " "))
		}
		return s
	}
	same := func(ad, attacked *Ad, strict bool) {
		t.Helper()
		want, text := shape(elements(t, made(t, m, ad), strict)), made(t, m, attacked)
		if got := shape(elements(t, text, strict)); !slices.Equal(got, want) {
			t.Errorf("the elements are\n%q, want\n%q:\n%s", got, want, text)
		}
		if strings.ContainsAny(text, "\x00\x01\n\r\u2028") {
			t.Errorf("characters are left as they are: %q", text)
		}
	}
	for _, attack := range attacks {
		at := "https://cdn.example/" + attack
		ad := banner()
		ad.Creative.Banner.Image, ad.Creative.Landing, ad.Creative.Trackers = at, at, []string{at}
		ad.Request, ad.ID, ad.Campaign, ad.Seat = attack, attack, attack, attack
		plain := banner()
		plain.Creative.Trackers = []string{"https://track.example/"}
		same(plain, ad, false)

		for _, protocol := range []int{2, 3, 7, 13} {
			v, plain := video(), video()
			v.Creative.ID, v.ID = strings.ReplaceAll(attack, "\n", ""), attack
			v.Creative.ID = strings.ReplaceAll(v.Creative.ID, "\r", "")
			v.ID = v.Creative.ID
			v.Creative.Landing, v.Creative.Trackers = at, []string{at}
			v.Creative.Video.Files[1].URL = at
			v.Imp.Video.Protocols, plain.Imp.Video.Protocols = []int{protocol}, []int{protocol}
			plain.Creative.Trackers = []string{"https://track.example/"}
			text, _, err := m.Append(nil, v)
			if err != nil {
				t.Fatal(err)
			}
			all := elements(t, string(text), true)
			if got, want := shape(all), shape(elements(t, made(t, m, plain), true)); !slices.Equal(got, want) {
				t.Errorf("%q: the elements are\n%q, want\n%q", attack, got, want)
			}
			if got, want := one(t, all, "VAST/Ad/InLine/AdTitle").text, asXML(v.Creative.ID); got != want {
				t.Errorf("the title is %q, want %q", got, want)
			}
		}

		n := native()
		n.Creative.Native.Title, n.Creative.Native.Body, n.Creative.Landing = attack, attack, at
		n.Imp.Native.Assets[0].Length, n.Imp.Native.Assets[2].Length = 0, 0
		n.Creative.Native.Main.URL = at
		text := made(t, m, n)
		a := parsed(t, text)
		if want := strings.ToValidUTF8(attack, "\ufffd"); a.Assets[0].Title.Text != want || a.Assets[2].Data.Value != want {
			t.Errorf("the title is %q, want %q", a.Assets[0].Title.Text, want)
		}
		if strings.ContainsAny(text, "<>\x00\n\r\u2028") {
			t.Errorf("it could end a script: %s", text)
		}
	}
}

// asXML is a text with the characters replaced that XML does not have.
func asXML(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0xfffe {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// Any text in any place of a creative and a request leaves a document that a parser reads, with the
// same elements.
func FuzzNoTextLeavesItsPlace(f *testing.F) {
	for _, attack := range attacks {
		f.Add(attack)
	}
	m := maker(f, Config{})
	names := func(all []*found) (s []string) {
		for _, e := range all {
			s = append(s, fmt.Sprint(e.path, len(e.attrs)))
		}
		return s
	}
	f.Fuzz(func(t *testing.T, text string) {
		at := "https://cdn.example/" + text
		if len(at) > 1000 {
			return
		}
		plain, ad := banner(), banner()
		ad.Creative.Banner.Image, ad.Creative.Landing, ad.Request, ad.ID = at, at, text, text
		if got, want := names(elements(t, made(t, m, ad), false)), names(elements(t, made(t, m, plain), false)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		plain, ad = video(), video()
		plain.Imp.Video.Protocols, ad.Imp.Video.Protocols = []int{13}, []int{13}
		ad.Creative.Video.Files[1].URL, ad.Creative.ID, ad.ID = at, text, text
		if got, want := names(elements(t, made(t, m, ad), true)), names(elements(t, made(t, m, plain), true)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		n := native()
		n.Creative.Native.Title, n.Creative.Native.Main.URL, n.Creative.Native.CTA = "x"+text, at, text
		n.Imp.Native.Assets[0].Length = 0
		if a := parsed(t, made(t, m, n)); a.Assets[0].Title.Text != strings.ToValidUTF8("x"+text, "\ufffd") && len(strings.ToValidUTF8(text, "")) == len(text) {
			t.Errorf("%q is %q", text, a.Assets[0].Title.Text)
		}
	})
}

func TestMarkupAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool forgets on purpose")
	}
	m, dst := maker(t, Config{}), make([]byte, 0, 16<<10)
	for name, most := range map[string]float64{"banner": 8, "video": 13, "native": 20} {
		ad := map[string]func() *Ad{"banner": banner, "video": video, "native": native}[name]()
		n := testing.AllocsPerRun(100, func() {
			if _, _, err := m.Append(dst, ad); err != nil {
				t.Fatal(err)
			}
		})
		if t.Logf("%s allocates %v times", name, n); n > most {
			t.Errorf("%s allocates %v times, want at most %v", name, n, most)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	m, dst := maker(b, Config{}), make([]byte, 0, 16<<10)
	for name, ad := range map[string]*Ad{"banner": banner(), "video": video(), "native": native()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				text, _, err := m.Append(dst, ad)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(text)), "bytes")
			}
		})
	}
}
