package run_test

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/stream"
)

// publicURL is what bids have in front of the paths of notices.
const publicURL = "https://bid.example"

// bidding runs all stages with the campaigns in testdata.
func bidding(t *testing.T) *run.Loop {
	t.Helper()
	campaigns, err := filepath.Abs("testdata/campaigns.yaml")
	if err != nil {
		t.Fatal(err)
	}
	l := start(t, func(c *config.Config) {
		c.Bidding.Campaigns, c.Bidding.PublicURL = campaigns, publicURL
		c.Scorer.MaxQueueTime, c.Bidding.TMax = 0, 9*time.Second // a slow machine bids late, and declines nothing
	})
	awaitBids(t, l)
	return l
}

// awaitBids returns once every campaign has bid. The first bid of a campaign waits until the topic
// knows that this process may bid for it.
func awaitBids(t *testing.T, l *run.Loop) {
	t.Helper()
	deal := imp("deal", bannerPlace+`,"pmp":{"private_auction":1,"deals":[{"id":"deal-shoes","bidfloor":10}]}`)
	places := []string{imp("banner", bannerPlace), imp("video", videoPlace), imp("audio", audioPlace), imp("native", nativePlace), deal}
	for began, n := time.Now(), 0; ; n++ {
		var answer response
		status, text := exchange(t, l, []byte(page(fmt.Sprint("warm-", n), places)), nil)
		if err := json.Unmarshal(text, &answer); status == 200 && err == nil && len(answer.SeatBid) == 1 && len(answer.SeatBid[0].Bid) == len(places) {
			return
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("not all campaigns bid: status %d, %s", status, text)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// records are the values of all records of a topic.
func records(t *testing.T, l *run.Loop, topic string) (all [][]byte) {
	t.Helper()
	ranges, err := l.Client.Offsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for p, r := range ranges {
		err := l.Client.ReadRange(t.Context(), topic, p, r.First, r.End, func(rec *stream.Record) error {
			all = append(all, rec.Value)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// holding waits until as many records of a topic hold a member with a value, and returns them.
func holding(t *testing.T, l *run.Loop, topic, member, value string, n int) (found []map[string]any) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		found = nil
		for _, text := range records(t, l, topic) {
			var v map[string]any
			if err := json.Unmarshal(text, &v); err != nil {
				t.Fatalf("%v in %s", err, text)
			}
			if v[member] == value {
				found = append(found, v)
			}
		}
		if len(found) >= n {
			return found
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("%s has %d records whose %s is %s, want %d: %v", topic, len(found), member, value, n, found)
		}
	}
}

// fire calls the URL of a notice as a browser does, after price has replaced the macro, and returns
// the status. The URL's host is not reached: the bidder that runs takes its place.
func fire(t *testing.T, l *run.Loop, address, price string) (status int, location string) {
	t.Helper()
	path, ours := strings.CutPrefix(address, publicURL)
	if !ours {
		t.Fatalf("a notice goes to %s", address)
	}
	path = strings.ReplaceAll(path, "${AUCTION_PRICE}", price)
	client := http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + l.HTTP + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header.Get("Location")
}

// noticeIn finds the URL of a notice in markup.
func noticeIn(t *testing.T, adm, kind string) string {
	t.Helper()
	found := regexp.MustCompile(regexp.QuoteMeta(publicURL) + `/n/` + kind + `[^"'<>\s\\\]]*`).FindString(adm)
	if found == "" {
		t.Fatalf("there is no /n/%s in %s", kind, adm)
	}
	return html.UnescapeString(found)
}
