package run_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/klauspost/compress/gzip"
)

// outcome is what becomes of a bid request.
type outcome string

const (
	bid     outcome = "a bid"
	none    outcome = "no bid" // 204, or 200 without bids
	refused outcome = "a refusal"
	// of what may be read in two ways: no fault
	bidOrNone    = bid + " or " + none
	bidOrRefused = bid + " or " + refused
)

// become says what an answer is.
func become(t *testing.T, name string, body []byte, status int, answer []byte) outcome {
	t.Helper()
	switch {
	case status == 204 && len(answer) == 0:
		return none
	case status == 200 && checkBids(t, name, body, answer) > 0:
		return bid
	case status == 200:
		return none
	case status == 400 && len(answer) == 0, status == 413, status == 415:
		return refused
	}
	t.Errorf("%s: status %d: %s", name, status, answer)
	return "a fault"
}

// alter makes a request that is usual but for one place: what stands there is replaced.
func alter(old, replacement string) []byte {
	const usual = `{"id":"auction","imp":[{"id":"1","banner":{"format":[{"w":300,"h":250}]},"bidfloor":0.5,"secure":1}],"site":{"domain":"news.example","publisher":{"id":"p1"}},` +
		`"device":{"ua":"Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0","ip":"203.0.113.7","geo":{"country":"USA"}},"user":{"id":"u1"},"at":1,"tmax":9000,"cur":["USD"]}`
	if old != "" && !strings.Contains(usual, old) {
		panic("BUG: the usual request has no " + old)
	}
	return []byte(strings.Replace(usual, old, replacement, 1))
}

func packedBody(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body)
	_ = w.Close()
	return b.Bytes()
}

// Exchanges send what the specification does not say. No request makes a fault, and none makes the
// bidder do what the request may forbid.
func TestOddBidRequests(t *testing.T) {
	l := bidding(t)
	usual := alter("", "")
	header := func(name, value string) http.Header { return http.Header{name: {value}} }
	for n, c := range []struct {
		name   string
		body   []byte
		header http.Header
		want   outcome
	}{
		{"usual", usual, nil, bid},

		// of HTTP
		{"a version of OpenRTB", usual, header("X-Openrtb-Version", "2.6"), bid},
		{"an older version", usual, header("X-Openrtb-Version", "2.5"), bid},
		{"a version of which nobody knows", usual, header("X-Openrtb-Version", "9.x"), bid},
		{"a charset", usual, header("Content-Type", "application/json; charset=UTF-8"), bid},
		{"plain text", usual, header("Content-Type", "text/plain"), bid},
		{"what curl sends", usual, header("Content-Type", "application/x-www-form-urlencoded"), bid},
		{"protobuf", []byte("\x0a\x07auction"), header("Content-Type", "application/x-protobuf"), refused},
		{"gzip", packedBody(usual), header("Content-Encoding", "gzip"), bid},
		{"gzip in capitals", packedBody(usual), header("Content-Encoding", "GZIP"), bid},
		{"identity", usual, header("Content-Encoding", "identity"), bid},
		{"gzip that is none", usual, header("Content-Encoding", "gzip"), bidOrRefused},
		{"gzip that is not told, as of a page that would be asked for leave", packedBody(usual), header("Content-Type", "text/plain"), bidOrRefused},
		{"gzip that is cut", packedBody(usual)[:100], header("Content-Encoding", "gzip"), refused},
		{"gzip that unpacks to 20 MB", packedBody(bytes.Repeat([]byte(" "), 20<<20)), header("Content-Encoding", "gzip"), refused},
		{"a coding that nobody knows", usual, header("Content-Encoding", "lzma"), refused},
		{"no gzip, please", usual, header("Accept-Encoding", "gzip;q=0"), bid},
		{"HTML, please", usual, header("Accept", "text/html"), bid},

		// of JSON
		{"a byte order mark", append([]byte("\xef\xbb\xbf"), usual...), nil, bidOrRefused},
		{"white space around", []byte("\r\n \t" + string(usual) + "\n\n"), nil, bid},
		{"nothing", nil, nil, refused},
		{"white space", []byte("\n"), nil, refused},
		{"null", []byte("null"), nil, refused},
		{"a list", append(append([]byte("["), usual...), ']'), nil, refused},
		{"a text", []byte(`"auction"`), nil, refused},
		{"cut", usual[:len(usual)-20], nil, refused},
		{"two requests", append(append([]byte{}, usual...), usual...), nil, refused},
		{"more behind it", append(append([]byte{}, usual...), "x"...), nil, refused},
		{"two ids", alter(`"id":"auction"`, `"id":"first","id":"auction"`), nil, none},
		{"two lists of blocked advertisers", alter(`"at":1`, `"badv":["shoes.example"],"badv":[]`), nil, none},
		{"10,000 levels", alter(`"at":1`, `"ext":`+strings.Repeat(`{"a":`, 10_000)+"1"+strings.Repeat("}", 10_000)), nil, none},
		{"200 kB of ext", alter(`"at":1`, `"ext":{"a":"`+strings.Repeat("x", 200<<10)+`"}`), nil, bid},
		{"5 MB of ext", alter(`"at":1`, `"ext":{"a":"`+strings.Repeat("x", 5<<20)+`"}`), nil, refused},
		{"members that nobody knows", alter(`"at":1`, `"at":1,"new":{"a":[1,{"b":null}]}`), nil, bid},
		{"null members", alter(`"at":1`, `"at":1,"app":null,"regs":null,"ext":null,"source":null,"badv":null,"bcat":null,"wseat":null`), nil, bid},
		{"bytes that are no UTF-8", alter(`"news.example"`, "\"news\xff.example\""), nil, refused},

		// ids
		{"an id in letters of the world", alter(`"auction"`, `"競売-аукцион-🙂"`), nil, bid},
		{"an id of 1,000 characters", alter(`"auction"`, `"`+strings.Repeat("i", 1000)+`"`), nil, none},
		{"an id with characters that need escapes", alter(`"auction"`, `"a\"b\\c<d>&/\u2028e"`), nil, bid},
		{"an id with control characters", alter(`"auction"`, `"a\u0001b"`), nil, none},
		{"an id with a zero byte", alter(`"auction"`, `"a\u0000b"`), nil, none},
		{"half a surrogate pair", alter(`"auction"`, `"a\ud800b"`), nil, bid},
		{"a number as id", alter(`"auction"`, `12345678901234`), nil, bid},
		{"an empty id", alter(`"auction"`, `""`), nil, refused},
		{"no id", alter(`"id":"auction",`, ``), nil, refused},
		{"a place with an id of 1,000 characters", alter(`"id":"1"`, `"id":"`+strings.Repeat("i", 1000)+`"`), nil, none},
		{"a number as a place's id", alter(`"id":"1"`, `"id":1`), nil, bid},

		// time
		{"tmax of 0", alter(`"tmax":9000`, `"tmax":0`), nil, bid},
		{"no tmax", alter(`,"tmax":9000`, ``), nil, bid},
		{"tmax of 1 ms", alter(`"tmax":9000`, `"tmax":1`), nil, none},
		{"tmax below 0", alter(`"tmax":9000`, `"tmax":-5`), nil, none},
		{"tmax of a year", alter(`"tmax":9000`, `"tmax":31536000000`), nil, none},
		{"tmax beyond 64 bits", alter(`"tmax":9000`, `"tmax":1e30`), nil, none},
		{"tmax as a text", alter(`"tmax":9000`, `"tmax":"9000"`), nil, bid},
		{"tmax as a page computes it", alter(`"tmax":9000`, `"tmax":9333.333333333334`), nil, bid},

		// money
		{"several currencies", alter(`["USD"]`, `["EUR","USD"]`), nil, bid},
		{"a currency without a rate", alter(`["USD"]`, `["EUR"]`), nil, none},
		{"a currency that is none", alter(`["USD"]`, `["BANANA"]`), nil, none},
		{"no currency", alter(`["USD"]`, `[]`), nil, bid},
		{"a currency that is no list", alter(`["USD"]`, `"USD"`), nil, bid},
		{"a floor in a currency without a rate", alter(`"bidfloor":0.5`, `"bidfloor":0.5,"bidfloorcur":"EUR"`), nil, none},
		{"a floor as a text", alter(`"bidfloor":0.5`, `"bidfloor":"0.5"`), nil, bid},
		{"a floor above, as a text", alter(`"bidfloor":0.5`, `"bidfloor":"99"`), nil, none},
		{"a floor that is no number", alter(`"bidfloor":0.5`, `"bidfloor":"cheap"`), nil, none},
		{"a floor below 0", alter(`"bidfloor":0.5`, `"bidfloor":-1`), nil, none},
		{"a floor of 1e300", alter(`"bidfloor":0.5`, `"bidfloor":1e300`), nil, none},
		{"a floor of 1e400", alter(`"bidfloor":0.5`, `"bidfloor":1e400`), nil, none},
		{"a floor of null", alter(`"bidfloor":0.5`, `"bidfloor":null`), nil, bid},
		{"fixed price", alter(`"at":1`, `"at":3`), nil, bid},
		{"second price", alter(`"at":1`, `"at":2`), nil, bid},
		{"an auction of the exchange's own kind", alter(`"at":1`, `"at":501`), nil, bid},

		// places
		{"when it expires", alter(`"secure":1`, `"secure":1,"exp":3600`), nil, bid},
		{"a test", alter(`"at":1`, `"test":1`), nil, bid},
		{"sizes with fractions of zero", alter(`{"w":300,"h":250}`, `{"w":300.0,"h":250.0}`), nil, bid},
		{"sizes as texts", alter(`{"w":300,"h":250}`, `{"w":"300","h":"250"}`), nil, bid},
		{"sizes of null beside others", alter(`[{"w":300,"h":250}]`, `null,"w":300,"h":250`), nil, bid},
		{"a size of -1", alter(`{"w":300,"h":250}`, `{"w":-1,"h":250}`), nil, none},
		{"secure as a truth value", alter(`"secure":1`, `"secure":true`), nil, bid},
		{"secure as a text", alter(`"secure":1`, `"secure":"1"`), nil, bid},
		{"a deal of other seats, only", alter(`"secure":1`, `"pmp":{"private_auction":1,"deals":[{"id":"of-others","wseat":["another"]}]}`), nil, none},
		{"a private auction without deals", alter(`"secure":1`, `"pmp":{"private_auction":1}`), nil, none},
		{"a deal below its floor", alter(`"secure":1`, `"pmp":{"private_auction":1,"deals":[{"id":"deal-shoes","bidfloor":50}]}`), nil, none},
		{"deals that are no list", alter(`"secure":1`, `"pmp":{"private_auction":1,"deals":"deal-shoes"}`), nil, none},
		{"no places", alter(`"imp":[`, `"imp":[],"was":[`), nil, none},
		{"places that are no list", alter(`"imp":[`, `"imp":{},"was":[`), nil, none},
		{"a place that is null", alter(`"imp":[`, `"imp":[null,`), nil, bid},
		{"a place without a format", alter(`"banner":{"format":[{"w":300,"h":250}]}`, `"tagid":"1"`), nil, none},
		{"two places of one id", alter(`"imp":[`, `"imp":[{"id":"1","banner":{"w":728,"h":90}},`), nil, none},
		{"1,000 places", alter(`"imp":[`, `"imp":[`+strings.Repeat(`{"id":"x","banner":{"w":1,"h":1}},`, 1000)), nil, none},
		{"a native request that is none", alter(`"banner":{"format":[{"w":300,"h":250}]}`, `"native":{"request":"{"}`), nil, none},
		{"a video without types of files", alter(`"banner":{"format":[{"w":300,"h":250}]}`, `"video":{"w":640,"h":360}`), nil, none},

		// who asks, for whom
		{"a site and an app", alter(`"at":1`, `"app":{"bundle":"com.game"}`), nil, none},
		{"a crawler", alter(`Firefox/130.0`, `(compatible; Googlebot/2.1)`), nil, none},
		{"a point beyond the poles", alter(`"country":"USA"`, `"lat":999,"lon":-999,"country":"USA"`), nil, bid},
		{"a country of two letters", alter(`"country":"USA"`, `"country":"us"`), nil, bid},
		{"a user that is no object", alter(`{"id":"u1"}`, `"u1"`), nil, bid},
		{"a number as a user's id", alter(`"u1"`, `17`), nil, bid},
		{"numbers as ids of the site", alter(`"publisher":{"id":"p1"}`, `"id":12,"publisher":{"id":34}`), nil, bid},
		{"a place on earth in texts", alter(`"country":"USA"`, `"lat":"52.1","lon":"4.3","country":"USA"`), nil, bid},

		// what protects somebody must not be taken as not given
		{"laws that are no object", alter(`"at":1`, `"regs":[]`), nil, none},
		{"blocked advertisers as a text", alter(`"at":1`, `"badv":"shoes.example"`), nil, none},
		{"blocked categories as numbers", alter(`"at":1`, `"bcat":[18]`), nil, bidOrNone},
		{"buyers' seats as a text", alter(`"at":1`, `"wseat":"another"`), nil, none},
		{"blocked attributes as a text", alter(`{"format"`, `{"battr":"all","format"`), nil, none},
	} {
		body := c.body
		if json.Valid(body) { // a name of its own, so that no answer is one that is remembered
			body = bytes.Replace(body, []byte(`"news.example"`), fmt.Appendf(nil, `"news%d.example"`, n), 1)
		}
		status, answer := exchange(t, l, body, c.header)
		if got := become(t, c.name, body, status, answer); !strings.Contains(string(c.want), string(got)) {
			t.Errorf("%s: %s (%d %.300s), want %s", c.name, got, status, answer, c.want)
		}
	}
}

// What comes again word for word is one auction, and gets the same bid; another body with the same
// id is another.
func TestABidRequestThatIsSentAgainGetsTheSameBid(t *testing.T) {
	l := bidding(t)
	_, first := exchange(t, l, alter("", ""), nil)
	_, again := exchange(t, l, alter("", ""), nil)
	_, other := exchange(t, l, alter("u1", "u2"), nil)
	if len(first) == 0 || !bytes.Equal(first, again) {
		t.Errorf("first %s, then %s", first, again)
	}
	var a, b response
	if json.Unmarshal(first, &a) != nil || json.Unmarshal(other, &b) != nil || len(a.SeatBid) != 1 || len(b.SeatBid) != 1 || a.SeatBid[0].Bid[0].ID == b.SeatBid[0].Bid[0].ID {
		t.Errorf("two auctions of one id get %s and %s", first, other)
	}
}

// Exchanges add parameters of their own to the URL that they are given.
func TestTheURLOfBidRequestsMayHaveParameters(t *testing.T) {
	l := bidding(t)
	resp, err := http.Post("http://"+l.HTTP+"/openrtb2/bid?src=https%3A%2F%2Fexchange.example&ssp=1804&ssp=2&gzip", "application/json", bytes.NewReader(alter("", "")))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d, %v", resp.StatusCode, resp.Header)
	}
}

func TestBidRequestsArePosted(t *testing.T) {
	l := bidding(t)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		if status, _, _ := call(t, http.DefaultClient, method, "http://"+l.HTTP+"/openrtb2/bid"); status != http.StatusMethodNotAllowed {
			t.Errorf("%s: status %d, want 405", method, status)
		}
	}
}

// The same bytes on many connections at once get the same bid, and its money is reserved once.
func TestABidRequestThatIsHedgedGetsOneBid(t *testing.T) {
	l := bidding(t)
	body := `{"id":"hedged","at":2,"imp":[{"id":"1","banner":{"format":[{"w":300,"h":250}]}}],"site":{"domain":"news.example"},"device":{"geo":{"country":"USA"}}}`
	answers := make(chan string, 16)
	for range cap(answers) {
		go func() {
			resp, err := http.Post("http://"+l.HTTP+"/openrtb2/bid", "application/json", strings.NewReader(body))
			if err != nil {
				answers <- err.Error()
				return
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			answers <- string(text)
		}()
	}
	first := <-answers
	for range cap(answers) - 1 {
		if other := <-answers; other != first || !strings.Contains(other, `"seatbid"`) {
			t.Fatalf("one gets %.200s, another %.200s", first, other)
		}
	}
	if bids := holding(t, l, event.TopicBids, "request", "hedged", 1); len(bids) != 1 {
		t.Errorf("%d bids are on the topic", len(bids))
	}
}
