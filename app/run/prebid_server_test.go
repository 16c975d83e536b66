package run_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// prebidFolder is where scripts/prebid.sh build has put Prebid Server and its sources.
func prebidFolder(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("CLICKLOOP_TEST_PREBID")
	if folder == "" {
		t.Skip("CLICKLOOP_TEST_PREBID is not set: scripts/prebid.sh build prints its value, scripts/integration.sh sets it")
	}
	return folder
}

// asked is what Prebid Server sent to the bidder, and what that answered.
type asked struct {
	header, answered http.Header
	query            string
	body             map[string]any // decompressed
	status           int
}

// prebidServer is a Prebid Server whose adapters ask a bidder through a recorder.
type prebidServer struct {
	t   *testing.T
	url string

	mu    sync.Mutex
	asked []asked
}

// newPrebidServer runs it until the test ends.
func newPrebidServer(t *testing.T, bidder string) *prebidServer {
	t.Helper()
	prebidFolder(t)
	p := &prebidServer{t: t}
	recorder := httptest.NewServer(p.record(bidder))
	t.Cleanup(recorder.Close)
	dir := t.TempDir()
	out, err := exec.Command("../../scripts/prebid.sh", "start", dir, recorder.URL+"/openrtb2/bid").Output()
	if err != nil {
		var exit *exec.ExitError
		errors.As(err, &exit)
		t.Fatalf("scripts/prebid.sh: %v: %s", err, exit.Stderr)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("../../scripts/prebid.sh", "stop", dir).CombinedOutput(); err != nil {
			t.Errorf("scripts/prebid.sh: %v: %s", err, out)
		}
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "prebid.log"))
			t.Logf("its log:\n%s", log)
		}
	})
	p.url = "http://" + strings.TrimPrefix(strings.TrimSpace(string(out)), "PREBID=")
	return p
}

// record passes calls on to the bidder as they are, and keeps them.
func (p *prebidServer) record(bidder string) http.Handler {
	transport := &http.Transport{DisableCompression: true}
	p.t.Cleanup(transport.CloseIdleConnections)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			p.t.Errorf("the request of an adapter: %v", err)
			return
		}
		on, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+bidder+r.URL.RequestURI(), bytes.NewReader(body))
		if err != nil {
			p.t.Error(err)
			return
		}
		on.Header = r.Header.Clone()
		resp, err := transport.RoundTrip(on)
		if err != nil {
			if r.Context().Err() == nil {
				p.t.Errorf("the bidder: %v", err)
			}
			return
		}
		defer resp.Body.Close()
		a := asked{header: on.Header, answered: resp.Header, query: r.URL.RawQuery, status: resp.StatusCode}
		if err := json.Unmarshal(plain(p.t, on.Header, body), &a.body); err != nil {
			p.t.Errorf("%v in %s", err, body)
		}
		p.mu.Lock()
		p.asked = append(p.asked, a)
		p.mu.Unlock()
		for name, values := range resp.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	})
}

// plain is a body without its compression.
func plain(t *testing.T, header http.Header, body []byte) []byte {
	if header.Get("Content-Encoding") != "gzip" {
		return body
	}
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err == nil {
		body, err = io.ReadAll(r)
	}
	if err != nil {
		t.Errorf("a body that is called gzip: %v", err)
	}
	return body
}

// prebidAnswer is what Prebid Server answers to a page.
type prebidAnswer struct {
	ID      string
	Cur     string
	SeatBid []struct {
		Seat string
		Bid  []prebidBid
	}
	Ext struct {
		Errors map[string][]struct{ Message string }
		Debug  struct {
			HTTPCalls map[string][]struct {
				Status      int
				RequestBody string
			}
		}
	}
}

type prebidBid struct {
	ID, ImpID, Adm, CrID, CID, NURL, BURL, LURL, DealID string
	Price                                               float64
	W, H, MType                                         int
	ADomain                                             []string
	Ext                                                 struct {
		Prebid struct {
			Type      string
			Targeting map[string]string
		}
	}

	seat string
}

// auction posts a request as a page does, and returns the answer with its bids in the order of
// imps and seats, and what the adapters sent.
func (p *prebidServer) auction(body string, header ...string) (a prebidAnswer, bids []prebidBid, sent []asked) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/openrtb2/auction", strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("status %d, %v: %s\nto %s", resp.StatusCode, err, text, body)
	}
	if err := json.Unmarshal(text, &a); err != nil {
		p.t.Fatalf("%v in %s", err, text)
	}
	for _, seat := range a.SeatBid {
		for _, b := range seat.Bid {
			b.seat = seat.Seat
			bids = append(bids, b)
		}
	}
	slices.SortFunc(bids, func(a, b prebidBid) int { return strings.Compare(a.ImpID+" "+a.seat, b.ImpID+" "+b.seat) })
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, call := range p.asked { // what came late for an earlier auction is there, too
		if at(call.body, "id") == a.ID {
			sent = append(sent, call)
		}
	}
	return a, bids, sent
}

// at returns the member of a path such as regs.ext.gdpr; nil where it is not there.
func at(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

// imp makes one place for an ad, for the adapters that are named. Their parameters differ: two
// adapters that send the same bytes ask for one bid.
func imp(id, format string, adapters ...string) string {
	params := map[string]string{"automatad": `{"position":"top"}`, "vrtcal": `{}`, "pulsepoint": `{"cp":512379,"ct":486653}`, "medianet": `{"cid":"8CUS8O7EX","crid":"112682482"}`}
	var all []string
	for _, a := range adapters {
		all = append(all, fmt.Sprintf("%q:%s", a, params[a]))
	}
	return fmt.Sprintf(`{"id":%q,%s,"ext":{"prebid":{"bidder":{%s}}}}`, id, format, strings.Join(all, ","))
}

// Places of each format, as Prebid.js asks for them.
const (
	bannerPlace = `"banner":{"format":[{"w":300,"h":250},{"w":300,"h":600}],"pos":1}`
	videoPlace  = `"video":{"mimes":["video/mp4","video/webm"],"minduration":5,"maxduration":30,"protocols":[2,3,5,6],"w":640,"h":360,"placement":1,"plcmt":1,"linearity":1}`
	audioPlace  = `"audio":{"mimes":["audio/mpeg"],"minduration":5,"maxduration":60,"protocols":[2,3,9,10]}`
	nativePlace = `"native":{"ver":"1.2","request":"{\"ver\":\"1.2\",\"context\":1,\"plcmttype\":1,\"assets\":[{\"id\":1,\"required\":1,\"title\":{\"len\":90}},` +
		`{\"id\":2,\"required\":1,\"img\":{\"type\":3,\"wmin\":300,\"hmin\":150}},{\"id\":3,\"data\":{\"type\":2,\"len\":120}}],\"eventtrackers\":[{\"event\":1,\"methods\":[1]}]}"}`
)

// page makes the request of a page: its imps, and members that replace or join the usual ones.
func page(id string, imps []string, more ...string) string {
	members := map[string]string{
		"site":   `{"domain":"news.example","page":"https://news.example/a","publisher":{"id":"p1"},"cat":["IAB12"]}`,
		"device": `{"ua":"Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0","ip":"203.0.113.7","devicetype":2,"language":"en","geo":{"country":"USA"}}`,
		"tmax":   "9000", "cur": `["USD"]`,
		"ext": `{"prebid":{"debug":true,"targeting":{"includewinners":true,"includebidderkeys":true}}}`,
	}
	for i := 0; i < len(more); i += 2 {
		if members[more[i]] = more[i+1]; more[i+1] == "" {
			delete(members, more[i])
		}
	}
	text := fmt.Sprintf(`{"id":%q,"imp":[%s]`, id, strings.Join(imps, ","))
	for name, value := range members {
		text += fmt.Sprintf(",%q:%s", name, value)
	}
	return text + "}"
}
