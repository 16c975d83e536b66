// Package replay plays a recording into a running system: it sends the recording's rows as score
// requests, and their outcomes as events.
//
// Ids come from the recording, so a message that is sent twice counts once. An interrupted replay
// resumes at the tick (or chunk) of its last row in the predictions topic.
package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/internal/signing"
	"github.com/clickloop/clickloop/internal/strictjson"
	"golang.org/x/sync/errgroup"
)

// Config says what a Driver plays, where, and how.
type Config struct {
	Recording *recording.Recording
	Objective event.Objective
	Tick      time.Duration // of recorded time
	Limit     int64         // rows played; 0 for all
	// wait, before a tick's requests, until every label due by then is learned and served
	Lockstep bool
	Chunk    int     // rows a call when not in lockstep; 0 for 256
	Speed    float64 // recorded seconds a second; 0 for as fast as possible
	Resume   int64   // number of the last row in the predictions topic; 0 for a new replay

	// base URLs: of the public ports, such as http://127.0.0.1:8080, and of the admin ports
	Collector, CollectorAdmin, Scorer, ScorerAdmin string
	Client                                         *http.Client // nil for a default
	// sign the events of rows that were answered before an interruption; all others have the token
	// of their answer. Nil: the former have none
	Keys   *signing.Ring
	Logger *slog.Logger // nil for none
}

// Progress is how far a replay is. Other goroutines may read it while the replay runs.
type Progress struct {
	Rows     atomic.Int64 // played, including those before Resume
	Skipped  atomic.Int64 // part of Rows: those before Resume
	Events   atomic.Int64 // sent
	Expected atomic.Int64 // examples due so far
	Rejected atomic.Int64 // requests or events that were refused
	Time     atomic.Int64 // recorded time, event.Time
}

// Driver plays one recording.
type Driver struct {
	cfg      Config
	client   client
	Progress Progress

	due       dueQueue
	tokens    tokens
	pending   []event.Event
	rows      []recording.Row
	body      []byte
	startWall time.Time
	startTime event.Time
}

// New returns a Driver that plays when it runs.
func New(cfg Config) (*Driver, error) {
	if cfg.Recording == nil {
		return nil, errors.New("BUG: replay without a recording")
	}
	if cfg.Tick <= 0 {
		return nil, fmt.Errorf("tick is %v, want a duration above 0, such as 10s", cfg.Tick)
	}
	if cfg.Chunk <= 0 {
		cfg.Chunk = 256
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: time.Minute}
	}
	d := &Driver{cfg: cfg, client: client{cfg.Client, cfg.Logger}}
	d.due.kind = objective.KindOf(cfg.Objective)
	return d, nil
}

// Run plays the recording and returns when every request is answered, every event is acknowledged,
// and every due example is in the served weights.
func (d *Driver) Run(ctx context.Context) error {
	d.startWall = time.Now()
	for tick, err := range d.cfg.Recording.Ticks(d.cfg.Tick, d.cfg.Limit) {
		if err != nil {
			return err
		}
		if err := d.tick(ctx, tick); err != nil {
			return err
		}
	}
	if err := d.flushRows(ctx); err != nil {
		return err
	}
	return d.waitModel(ctx, d.Progress.Expected.Load())
}

// tick sends the events before tick.Start, and then the tick's rows, or keeps these until a chunk
// is full.
func (d *Driver) tick(ctx context.Context, tick *recording.Tick) error {
	d.Progress.Expected.Store(d.due.before(tick.Start))
	d.Progress.Time.Store(int64(tick.Start))
	if d.skip(tick) {
		d.Progress.Rows.Add(int64(len(tick.Rows)))
		d.Progress.Skipped.Add(int64(len(tick.Rows)))
		if d.cfg.Keys != nil {
			d.tokens.sign(tick, d.cfg.Keys.Keys())
		}
		d.due.add(tick.Rows)
		return nil
	}
	if err := d.pace(ctx, tick.Start); err != nil {
		return err
	}
	d.pending = append(d.pending, tick.Events...)
	if d.cfg.Lockstep || len(d.rows) >= d.cfg.Chunk || len(tick.Rows) == 0 || d.cfg.Speed > 0 {
		// Waiting rows are older than these events and go first: no request may see later events.
		if err := d.flushRows(ctx); err != nil {
			return err
		}
		if err := d.sendEvents(ctx, tick.Start); err != nil {
			return err
		}
	}
	if d.cfg.Lockstep {
		if err := d.settle(ctx, tick.Start); err != nil {
			return err
		}
	}
	d.due.add(tick.Rows)
	d.rows = append(d.rows, tick.Rows...)
	if d.cfg.Lockstep {
		return d.flushRows(ctx)
	}
	return nil
}

// skip tells whether an interrupted replay has certainly played the whole tick: the last row in
// the topic belongs to a later tick or, when rows went out in chunks, came more than two chunks
// later.
func (d *Driver) skip(tick *recording.Tick) bool {
	resume := d.cfg.Resume
	if !d.cfg.Lockstep {
		resume -= 2 * int64(d.cfg.Chunk)
	}
	if resume <= 0 || d.Progress.Rows.Load() >= d.cfg.Resume {
		return false
	}
	if len(tick.Rows) == 0 {
		return d.Progress.Rows.Load() < resume-1
	}
	return tick.Rows[len(tick.Rows)-1].N < resume
}

// pace waits for recorded time t at the configured speed.
func (d *Driver) pace(ctx context.Context, t event.Time) error {
	if d.cfg.Speed <= 0 {
		return nil
	}
	if d.startTime == 0 {
		d.startTime = t
	}
	at := d.startWall.Add(time.Duration(float64(t-d.startTime) / d.cfg.Speed * float64(time.Millisecond)))
	select {
	case <-time.After(time.Until(at)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sendEvents posts the pending events, and the clock with the last of them, so that heartbeats
// follow the events.
func (d *Driver) sendEvents(ctx context.Context, clock event.Time) error {
	for first := true; first || len(d.pending) > 0; first = false {
		n := min(len(d.pending), 1000)
		d.body = append(d.body[:0], '[')
		for i := range d.pending[:n] {
			if i > 0 {
				d.body = append(d.body, ',')
			}
			d.tokens.give(&d.pending[i])
			d.body = d.pending[i].AppendJSON(d.body)
		}
		d.body = append(d.body, ']')
		d.pending = append(d.pending[:0], d.pending[n:]...)
		target := d.cfg.Collector + "/v1/events"
		if len(d.pending) == 0 {
			target += "?clock=" + url.QueryEscape(clock.String())
		}
		answer, err := d.client.call(ctx, http.MethodPost, target, "application/json", d.body)
		if err != nil {
			return err
		}
		d.Progress.Events.Add(int64(n))
		if rejected := bytes.Count(answer, []byte(`"rejected"`)); rejected > 0 {
			d.Progress.Rejected.Add(int64(rejected))
			d.cfg.Logger.Error("the collector refused recorded events", "count", rejected, "answer", string(answer[:min(len(answer), 300)]))
		}
	}
	return nil
}

// flushRows posts the waiting rows as JSON lines in order, up to a chunk a call.
func (d *Driver) flushRows(ctx context.Context) error {
	rows := d.rows
	for len(rows) > 0 {
		n := min(len(rows), max(d.cfg.Chunk, 1))
		d.body = d.body[:0]
		for i := range rows[:n] {
			d.body = appendRequest(d.body, &rows[i])
			d.body = append(d.body, '\n')
		}
		answer, err := d.client.call(ctx, http.MethodPost, d.cfg.Scorer+"/v1/score", "application/x-ndjson", d.body)
		if err != nil {
			return err
		}
		if rejected := bytes.Count(answer, []byte(`{"error":`)); rejected > 0 {
			d.Progress.Rejected.Add(int64(rejected))
			d.cfg.Logger.Error("the scorer refused recorded requests", "count", rejected, "answer", string(answer[:min(len(answer), 300)]))
		}
		d.tokens.take(rows[:n], answer)
		d.Progress.Rows.Add(int64(n))
		rows = rows[n:]
	}
	d.rows = d.rows[:0]
	return nil
}

// settle waits until profiles include every event before t, and served weights every example due
// by t.
func (d *Driver) settle(ctx context.Context, t event.Time) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.waitFolded(ctx, t) })
	g.Go(func() error { return d.waitModel(ctx, d.Progress.Expected.Load()) })
	return g.Wait()
}

func (d *Driver) waitFolded(ctx context.Context, t event.Time) error {
	var answer struct {
		Folded string `json:"folded"`
	}
	return d.client.poll(ctx, d.cfg.CollectorAdmin+"/v1/clock", url.Values{"folded": {t.String()}}, &answer, func() bool {
		folded, err := event.ParseTime(answer.Folded)
		return err == nil && folded >= t
	})
}

func (d *Driver) waitModel(ctx context.Context, n int64) error {
	var answer struct {
		Examples int64 `json:"examples"` // -1 while there are no weights
	}
	query := url.Values{"objective": {d.cfg.Objective.Name}, "at_least": {strconv.FormatInt(n, 10)}}
	return d.client.poll(ctx, d.cfg.ScorerAdmin+"/v1/model", query, &answer, func() bool { return answer.Examples >= n })
}

// appendRequest appends a row as a score request.
func appendRequest(dst []byte, r *recording.Row) []byte {
	dst = append(dst, `{"request":`...)
	dst = strictjson.AppendString(dst, r.Request)
	dst = append(dst, `,"time":`...)
	dst = r.Time.AppendJSON(dst)
	dst = append(dst, `,"row":`...)
	dst = strconv.AppendInt(dst, r.N, 10)
	if r.Weight != 1 {
		dst = append(dst, `,"w":`...)
		dst = strictjson.AppendNumber(dst, r.Weight)
	}
	dst = appendText(dst, "user", r.User)
	dst = append(dst, `,"context":`...)
	dst = r.Context.AppendJSON(dst)
	dst = append(dst, `,"candidates":[{"ad":`...)
	dst = strictjson.AppendString(dst, r.Ad)
	dst = appendText(dst, "campaign", r.Campaign)
	return append(dst, `}]}`...)
}

func appendText(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	return strictjson.AppendString(dst, text)
}
