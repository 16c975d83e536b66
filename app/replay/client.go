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

	"github.com/clickloop/clickloop/internal/retry"
)

// client calls the stages. It repeats a call while a stage does not answer, or answers 5xx, 408 or
// 429. A repeated request or event changes nothing, because its id comes from the recording.
type client struct {
	http   *http.Client
	logger *slog.Logger
}

// refused is an answer that a repeated call would get again.
type refused struct {
	url    string
	status int
	body   string
}

func (e *refused) Error() string {
	return fmt.Sprintf("%s answered %d: %s", e.url, e.status, e.body)
}

// call sends body (nil for GET) until a stage answers 200, refuses it, or ctx ends. The error then
// includes the last fault.
func (c *client) call(ctx context.Context, method, target, contentType string, body []byte) ([]byte, error) {
	backoff := retry.Backoff{Min: 20 * time.Millisecond, Max: time.Second, LogFrom: 200 * time.Millisecond}
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
		if backoff.ShouldLog() {
			c.logger.Warn("a stage does not answer, repeating until it does", "url", target, "err", err)
		}
		if !backoff.Pause(ctx) {
			return nil, ended(ctx, last)
		}
	}
}

// ended returns the error of a call whose ctx has ended: the last fault, if any, and ctx's error.
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

// poll asks target again and again until done returns true. Each answer comes when the stage's
// condition holds, or after twenty seconds.
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
