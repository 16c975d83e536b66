package simulate

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/retry"
)

// client makes the calls of exchange, browsers and advertisers.
type client struct {
	http     *http.Client
	bidder   string
	admin    string
	recorded bool // calls carry their simulated time
	pack     bool
}

// newClient returns a client that follows no redirect: what is behind a click is not called.
func newClient(c *Config) client {
	h := http.Client{Timeout: 30 * time.Second}
	if c.Client != nil {
		h = *c.Client
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client{http: &h, bidder: strings.TrimSuffix(c.Bidder, "/"), admin: strings.TrimSuffix(c.Admin, "/"), pack: c.Pack}
}

const (
	bidPath      = "/openrtb2/bid"
	maxAnswer    = 4 << 20 // bytes of an answer that are read
	attempts     = 6       // of a call that fails
	exchangeName = "clickloop-simulate/1"
)

// status is an answer that is no success. A call that got one of 5xx or 429 may be repeated.
type status struct {
	url  string
	code int
	body string
}

func (e *status) Error() string { return fmt.Sprintf("%s answered %d: %.200s", e.url, e.code, e.body) }

func (e *status) passing() bool {
	return e.code >= 500 || e.code == http.StatusTooManyRequests || e.code == http.StatusRequestTimeout
}

// sell posts the bid request of a sale. No answer body is no bid. In real time the answer must come
// within tmax; in recorded time a bidder that does not answer is asked again.
func (c *client) sell(ctx context.Context, s *sale) ([]byte, error) {
	body := s.body()
	head := http.Header{"Content-Type": {"application/json"}, "X-Openrtb-Version": {s.version()}, "User-Agent": {exchangeName}}
	if c.pack {
		body = packed(body)
		head.Set("Content-Encoding", "gzip")
	}
	if c.recorded {
		return c.persist(ctx, http.MethodPost, timed(c.bidder+bidPath, s.time), head, body)
	}
	ctx, cancel := context.WithTimeout(ctx, s.tmax)
	defer cancel()
	return c.once(ctx, http.MethodPost, c.bidder+bidPath, head, body)
}

func packed(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body) // a buffer takes all
	_ = w.Close()
	return b.Bytes()
}

// notify calls the URL of a notice. Exchanges repeat what is not taken, so it is repeated.
func (c *client) notify(ctx context.Context, d *due) error {
	link := d.url
	if c.recorded {
		link = timed(link, d.at)
	}
	_, err := c.persist(ctx, http.MethodGet, link, http.Header{"User-Agent": {d.agent}}, nil)
	return err
}

// timed adds the simulated time of a call.
func timed(link string, at event.Time) string {
	separator := "?"
	if strings.Contains(link, "?") {
		separator = "&"
	}
	return link + separator + "time=" + url.QueryEscape(at.String())
}

// events posts events. A clock other than 0 is the recorded time before which all is sent.
func (c *client) events(ctx context.Context, all []event.Event, clock event.Time) error {
	body := []byte{'['}
	for i := range all {
		if i > 0 {
			body = append(body, ',')
		}
		body = all[i].AppendJSON(body)
	}
	target := c.bidder + "/v1/events"
	if clock != 0 {
		target += "?clock=" + url.QueryEscape(clock.String())
	}
	_, err := c.persist(ctx, http.MethodPost, target, http.Header{"Content-Type": {"application/json"}}, append(body, ']'))
	return err
}

// ask reads a JSON answer of the admin port.
func (c *client) ask(ctx context.Context, path string, query url.Values, answer any) error {
	b, err := c.persist(ctx, http.MethodGet, c.admin+path+"?"+query.Encode(), nil, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return fmt.Errorf("cannot read the answer of %s: %w", c.admin+path, err)
	}
	return nil
}

// persist repeats a call a few times while it fails in a way that may pass.
func (c *client) persist(ctx context.Context, method, target string, head http.Header, body []byte) ([]byte, error) {
	backoff := retry.Backoff{Min: 50 * time.Millisecond, Max: 2 * time.Second}
	for n := 1; ; n++ {
		answer, err := c.once(ctx, method, target, head, body)
		var no *status
		if err == nil || errors.As(err, &no) && !no.passing() || n == attempts || ctx.Err() != nil {
			return answer, err
		}
		if !backoff.Pause(ctx) {
			return nil, err
		}
	}
}

func (c *client) once(ctx context.Context, method, target string, head http.Header, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, &status{url: target, body: err.Error()}
	}
	if head != nil {
		req.Header = head.Clone()
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 400 {
		return nil, &status{target, resp.StatusCode, string(answer)}
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil // no content, or a redirect
	}
	return answer, nil
}
