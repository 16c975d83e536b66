package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// beside is the work beside the bids: notices of some of them, and pages of users.
type beside struct {
	url    string
	client *http.Client
	won    chan []string // URLs to call, in their order; what finds no room is left out

	notices, pages, failed, left atomic.Int64
	done                         chan struct{}
	working                      sync.WaitGroup
}

func newBeside(o options) *beside {
	const callers = 4
	b := &beside{url: o.url, client: &http.Client{Timeout: 10 * time.Second}, won: make(chan []string, 1000), done: make(chan struct{})}
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for range callers {
		b.working.Go(b.call)
	}
	if o.pages > 0 {
		b.working.Go(func() { b.browse(o.pages) })
	}
	return b
}

func (b *beside) stop() {
	close(b.done)
	b.working.Wait()
	b.client.CloseIdleConnections()
}

func (b *beside) String() string {
	return fmt.Sprintf("beside: %d notices, %d pages, %d failed, %d notices left out", b.notices.Load(), b.pages.Load(), b.failed.Load(), b.left.Load())
}

var pixel = regexp.MustCompile(`https://bid\.example/n/(imp|click)[^"'<>\s\\]*`)

// notify takes the notices of a bid: it is won, billed and shown, and one in ten is clicked.
func (b *beside) notify(answer []byte) {
	var a struct {
		SeatBid []struct {
			Bid []struct {
				NURL, BURL, Adm string
				Price           float64
			}
		}
	}
	if err := json.Unmarshal(answer, &a); err != nil || len(a.SeatBid) == 0 || len(a.SeatBid[0].Bid) == 0 {
		b.failed.Add(1)
		return
	}
	bid := a.SeatBid[0].Bid[0]
	urls := []string{bid.NURL, bid.BURL}
	for _, m := range pixel.FindAllStringSubmatch(bid.Adm, 2) {
		if m[1] == "imp" || rand.IntN(10) == 0 {
			urls = append(urls, html.UnescapeString(m[0]))
		}
	}
	for i := range urls {
		urls[i] = strings.ReplaceAll(urls[i], "${AUCTION_PRICE}", fmt.Sprint(bid.Price))
	}
	select {
	case b.won <- urls:
	default:
		b.left.Add(1)
	}
}

// call calls notices until it is stopped.
func (b *beside) call() {
	for {
		select {
		case <-b.done:
			return
		case urls := <-b.won:
			for _, u := range urls {
				resp, err := b.client.Get(b.url + strings.TrimPrefix(u, "https://bid.example"))
				b.count(&b.notices, 1, resp, err)
			}
		}
	}
}

// browse sends pages that users see, ten in a call.
func (b *beside) browse(rate int) {
	const batch = 10
	tick := time.NewTicker(time.Second * batch / time.Duration(rate))
	defer tick.Stop()
	for {
		select {
		case <-b.done:
			return
		case <-tick.C:
		}
		body := []byte("[")
		for i := range batch {
			if i > 0 {
				body = append(body, ',')
			}
			body = fmt.Appendf(body, `{"type":"page","user":"u%d","properties":{"section":"s%d"}}`, rand.IntN(users), rand.IntN(20))
		}
		resp, err := b.client.Post(b.url+"/v1/events", "application/json", bytes.NewReader(append(body, ']')))
		b.count(&b.pages, batch, resp, err)
	}
}

func (b *beside) count(good *atomic.Int64, n int64, resp *http.Response, err error) {
	if err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if err != nil || resp.StatusCode >= 400 {
		b.failed.Add(1)
		return
	}
	good.Add(n)
}
