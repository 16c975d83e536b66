package run_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/app/run"
)

// exchange posts a bid request as it is, and returns the status and the answer.
func exchange(t *testing.T, l *run.Loop, body []byte, header http.Header) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.HTTP+"/openrtb2/bid", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, text
}

// id is a text, or a number that stands for one.
type id string

func (i *id) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] != '"' {
		*i = id(b)
		return nil
	}
	return json.Unmarshal(b, (*string)(i))
}

// request is what the check of bids reads of a bid request.
type request struct {
	ID   id
	Cur  []string
	BAdv []string
	BCat []string
	Imp  []requestImp
}

type requestImp struct {
	ID                   id
	BidFloor             float64
	BidFloorCur          string
	Banner               *requestBanner
	Video, Audio, Native *struct{}
	PMP                  struct {
		PrivateAuction int `json:"private_auction"`
		Deals          []struct{ ID string }
	}
}

type requestBanner struct {
	W, H   int
	Format []struct{ W, H int }
}

// response is what it reads of the answer.
type response struct {
	ID, Cur string
	NBR     int
	SeatBid []struct{ Bid []responseBid }
}

type responseBid struct {
	ID, ImpID, Adm, NURL, DealID string
	Price                        float64
	W, H, MType                  int
	ADomain, Cat                 []string
}

// checkBids holds the bids of an answer against the request, and returns how many there are.
func checkBids(t *testing.T, name string, body, answer []byte) (bids int) {
	t.Helper()
	var q request
	var a response
	if err := json.Unmarshal(answer, &a); err != nil {
		t.Errorf("%s: %v in %s", name, err, answer)
		return 0
	}
	if err := json.Unmarshal(body, &q); err != nil && len(a.SeatBid) > 0 {
		return len(a.SeatBid[0].Bid) // of another form than the check knows, such as numbers as texts
	}
	if a.ID != string(q.ID) {
		t.Errorf("%s: the answer has the id %q, the request %q", name, a.ID, q.ID)
	}
	taken := map[string]bool{}
	for _, seat := range a.SeatBid {
		for _, b := range seat.Bid {
			bids++
			i := slices.IndexFunc(q.Imp, func(m requestImp) bool { return string(m.ID) == b.ImpID })
			if i < 0 || taken[b.ImpID] {
				t.Errorf("%s: a bid for the place %q", name, b.ImpID)
				continue
			}
			taken[b.ImpID] = true
			if problem := breaks(&q, &q.Imp[i], &b, a.Cur); problem != "" {
				t.Errorf("%s: the bid for %q %s", name, b.ImpID, problem)
			}
		}
	}
	return bids
}

// breaks says which wish of the request a bid does not keep; "" where it keeps all.
func breaks(q *request, m *requestImp, b *responseBid, cur string) string {
	floorCur := m.BidFloorCur
	if floorCur == "" {
		floorCur = "USD"
	}
	wanted := map[int]bool{1: m.Banner != nil, 2: m.Video != nil, 3: m.Audio != nil, 4: m.Native != nil}
	domain := func(blocked string) bool { return slices.Contains(b.ADomain, strings.ToLower(blocked)) }
	category := func(blocked string) bool { return slices.Contains(b.Cat, blocked) }
	switch {
	case b.ID == "" || b.Adm == "" && b.NURL == "":
		return "has no id or no markup"
	case len(q.Cur) > 0 && !slices.Contains(q.Cur, cur):
		return "is in " + cur
	case floorCur == cur && b.Price < m.BidFloor:
		return fmt.Sprintf("is %v, below the floor of %v", b.Price, m.BidFloor)
	case !wanted[b.MType]:
		return fmt.Sprintf("has the type %d", b.MType)
	case slices.ContainsFunc(q.BAdv, domain) || slices.ContainsFunc(q.BCat, category):
		return fmt.Sprintf("is of %q in %q", b.ADomain, b.Cat)
	case m.PMP.PrivateAuction == 1 && !slices.ContainsFunc(m.PMP.Deals, func(d struct{ ID string }) bool { return d.ID == b.DealID }):
		return fmt.Sprintf("has the deal %q", b.DealID)
	case b.MType == 1 && !m.Banner.fits(b.W, b.H):
		return fmt.Sprintf("is a banner of %dx%d", b.W, b.H)
	}
	return ""
}

// fits says whether a banner has one of the sizes, of which there may be none.
func (s *requestBanner) fits(w, h int) bool {
	sizes := append(slices.Clone(s.Format), struct{ W, H int }{s.W, s.H})
	sizes = slices.DeleteFunc(sizes, func(s struct{ W, H int }) bool { return s.W == 0 || s.H == 0 })
	return len(sizes) == 0 || slices.Contains(sizes, struct{ W, H int }{w, h})
}
