package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
)

// What a case of Redis takes.
const (
	before    = time.Second
	redisAway = 2 * time.Second
	after     = 5 * time.Second
	soon      = 2 * time.Second // in which profiles are used again
)

// redisFault is a case: Redis is disturbed for two seconds.
func redisFault(what string, disturb func(*proxy)) func(*bench, context.Context) (string, error) {
	return func(b *bench, ctx context.Context) (string, error) {
		undisturbed, err := b.compared(ctx)
		if err != nil {
			return "", err
		}
		var began, ended time.Time
		got, err := collect(ctx, b.scores(before+redisAway+after), func() error {
			if err := pause(ctx, before); err != nil {
				return err
			}
			disturb(b.redis)
			began = time.Now()
			waited := pause(ctx, redisAway)
			ended = time.Now()
			return errors.Join(waited, b.redis.restore())
		})
		if err != nil {
			return "", err
		}
		used, late := again(got.good(), answer.at, ended, func(a answer) bool { return a.features == "full" })
		text := fmt.Sprintf("%s for %v: %v, used again after %v", what, ended.Sub(began).Round(time.Millisecond), got, used.Round(time.Millisecond))
		return text, errors.Join(got.statuses(), got.inTime(undisturbed, began, ended), late, within("profiles are used again", used, soon))
	}
}

func (a answer) at() time.Time { return a.due }

// redisEmptied is a case: all that Redis holds is deleted. What was folded into it is folded again
// from the log. Predictions tell which features were used; an answer does not.
func (b *bench) redisEmptied(ctx context.Context) (string, error) {
	undisturbed, err := b.compared(ctx)
	if err != nil {
		return "", err
	}
	topic, err := b.watch(ctx, event.TopicPredictions)
	if err != nil {
		return "", err
	}
	var emptied time.Time
	got, err := collect(ctx, b.scores(before+after), func() error {
		if err := pause(ctx, before); err != nil {
			return err
		}
		emptied, err = time.Now(), flush(b.redis.server)
		return err
	})
	if err != nil {
		return "", err
	}
	used, err := topic.profiled(ctx, got)
	if err != nil {
		return "", err
	}
	without := 0
	for _, p := range used {
		if !p.known {
			without++
		}
	}
	took, late := again(used, prediction.at, emptied, func(p prediction) bool { return p.known })
	text := fmt.Sprintf("%v, %d without a count that was there, used again after %v", got, without, took.Round(time.Millisecond))
	return text, errors.Join(got.statuses(), got.inTime(undisturbed, emptied, emptied), late, within("profiles are used again", took, soon))
}

// flush empties Redis. Its protocol takes a command as a line of text.
func flush(address string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	const good = "+OK\r\n"
	answer := make([]byte, len(good))
	_, err = io.WriteString(c, "FLUSHALL\r\n")
	if _, failed := io.ReadFull(c, answer); errors.Join(err, failed) != nil || string(answer) != good {
		return fmt.Errorf("redis answers %q to FLUSHALL: %w", answer, errors.Join(err, failed))
	}
	return nil
}

// prediction is what the topic tells of an answer.
type prediction struct {
	time  time.Time
	known bool // the count of its user's clicks was used
}

func (p prediction) at() time.Time { return p.time }

// profiled returns what the predictions of answers had of profiles, in order of time.
func (w *watched) profiled(ctx context.Context, got *answers) (all []prediction, err error) {
	records, err := w.await(ctx, got.logged(), predictionID)
	if err != nil {
		return nil, err
	}
	for _, text := range records.values {
		p, err := event.ParsePrediction(text)
		if err != nil {
			return nil, err
		}
		clicks, _ := p.Features.Lookup("user.clicks_1h")
		all = append(all, prediction{time.UnixMilli(int64(p.Time)), clicks.Num >= 1})
	}
	slices.SortFunc(all, func(a, b prediction) int { return a.time.Compare(b.time) })
	return all, nil
}

// teach has each user click, and waits until predictions are made with that.
func (b *bench) teach(ctx context.Context) error {
	var events []string
	for u := range users {
		for _, kind := range []string{"impression", "click"} {
			events = append(events, fmt.Sprintf(`{"type":%q,"user":"u%d","ad":"a%d","campaign":"c%d"}`, kind, u, u, u%100))
		}
	}
	for part := range slices.Chunk(events, 200) {
		if _, err := call(ctx, http.MethodPost, b.system.URL+"/v1/events", "["+strings.Join(part, ",")+"]"); err != nil {
			return err
		}
	}
	for began := time.Now(); time.Since(began) < time.Minute; {
		topic, err := b.watch(ctx, event.TopicPredictions)
		if err != nil {
			return err
		}
		got, err := collect(ctx, b.scores(time.Second), func() error { return nil })
		if err != nil {
			return err
		}
		used, err := topic.profiled(ctx, got)
		if err != nil {
			return err
		}
		if len(used) > 0 && !slices.ContainsFunc(used, func(p prediction) bool { return !p.known }) {
			return nil
		}
	}
	return errors.New("profiles are not used within a minute of the start")
}

// call returns the body of an answer; an error says that it was not 200.
func call(ctx context.Context, method, url, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", url, resp.Status, answer)
	}
	return answer, err
}
