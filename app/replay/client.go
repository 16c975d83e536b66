package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// client calls the stages and repeats a call until it succeeds: a stage that is away or answers 5xx
// or 429 is asked again after a backoff, and a repeated request or event changes nothing, because
// their ids come from the recording.
type client struct {
	http   *http.Client
	logger *slog.Logger
}

const (
	backoffMin = 20 * time.Millisecond
	backoffMax = time.Second
)

// refused is an answer that repeating does not change.
type refused struct {
	url    string
	status int
	body   string
}

func (e *refused) Error() string {
	return fmt.Sprintf("%s answered %d: %s", e.url, e.status, e.body)
}

// call sends body (nil for GET) until an answer with status 200 comes or ctx ends; then its error
// tells the last fault too.
func (c *client) call(ctx context.Context, method, target, contentType string, body []byte) ([]byte, error) {
	wait, warned := backoffMin, false
	var last error
	for {
		answer, err := c.once(ctx, method, target, contentType, body)
		var no *refused
		if err == nil || errors.As(err, &no) {
			return answer, err
		}
		if ctx.Err() != nil {
			return nil, ended(ctx, last)
		}
		last = err
		if !warned && wait > 200*time.Millisecond {
			c.logger.Warn("a stage does not answer, repeating until it does", "url", target, "err", err)
			warned = true
		}
		select {
		case <-ctx.Done():
			return nil, ended(ctx, last)
		case <-time.After(wait):
		}
		wait = min(2*wait, backoffMax)
	}
}

// ended is why ctx ended, after the last fault if there was one.
func ended(ctx context.Context, last error) error {
	if last == nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w (%w)", last, ctx.Err())
}

func (c *client) once(ctx context.Context, method, target, contentType string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, &refused{target, 0, err.Error()}
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		return answer, nil
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout:
		return nil, fmt.Errorf("%s answered %d: %.200s", target, resp.StatusCode, answer)
	}
	return nil, &refused{target, resp.StatusCode, string(answer[:min(len(answer), 500)])}
}

// poll asks target, whose answer arrives when a condition holds or a wait is over, until done says
// so.
func (c *client) poll(ctx context.Context, target string, query url.Values, answer any, done func() bool) error {
	query.Set("wait", "20s")
	for {
		b, err := c.call(ctx, http.MethodGet, target+"?"+query.Encode(), "", nil)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, answer); err != nil {
			return fmt.Errorf("cannot read the answer of %s: %w", target, err)
		}
		if done() {
			return nil
		}
	}
}
