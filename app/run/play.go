package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/app/replay"
	"github.com/clickloop/clickloop/event"
)

// PlayOptions tell Play what to play, and how fast.
type PlayOptions struct {
	Recording *recording.Recording
	Lockstep  bool                 // wait before each tick until the labels due are learned and served
	Limit     int64                // requests; 0 for all
	Speed     float64              // recorded seconds a second; 0 for as fast as it goes
	Watch     func(*replay.Driver) // called once, before it plays
}

// Play plays a recording through all stages. It returns when every prediction is labelled, learned
// and served. A recording that was interrupted is resumed.
func (l *Loop) Play(ctx context.Context, o PlayOptions) (*Summary, error) {
	began := time.Now()
	rec := o.Recording
	resume, err := LastRow(ctx, l.Client, rec.Name())
	if err != nil {
		return nil, err
	}
	d, err := replay.New(replay.Config{
		Recording: rec, Objective: rec.Objective(), Tick: rec.Tick(), Limit: o.Limit, Lockstep: o.Lockstep, Speed: o.Speed, Resume: resume,
		Collector: l.url(l.HTTP, l.certificates.public), CollectorAdmin: l.url(l.Admin, l.certificates.admin),
		Scorer: l.url(l.HTTP, l.certificates.public), ScorerAdmin: l.url(l.Admin, l.certificates.admin),
		Client: l.client(time.Minute), Keys: l.keys, Logger: l.logger,
	})
	if err != nil {
		return nil, err
	}
	if o.Watch != nil {
		o.Watch(d)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-l.done:
			cancel(errors.Join(errors.New("a stage ended"), l.err))
		case <-ctx.Done():
		}
	}()
	if err := d.Run(ctx); err != nil {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	seconds := time.Since(began).Seconds()
	s, err := Summarize(ctx, l.Client, rec.Name(), rec.Objective())
	if err != nil {
		return nil, err
	}
	s.Requests = d.Progress.Rows.Load()
	s.Seconds = seconds
	s.RequestsPerSecond = float64(s.Requests-d.Progress.Skipped.Load()) / seconds
	return s, l.addModel(ctx, s, rec.Objective())
}

// addModel asks the learner for its weights once it has learned the whole examples topic. The
// scorer's answer could be another one: suppose a learner publishes weights and is killed before
// its next checkpoint. The scorer serves these weights, while the replacing learner still learns
// their last examples again.
func (l *Loop) addModel(ctx context.Context, s *Summary, o event.Objective) error {
	ranges, err := l.Client.Offsets(ctx, event.TopicExamples(s.Objective))
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/v1/learner?objective=%s&network=%s&learned=%d", url.QueryEscape(s.Objective), url.QueryEscape(o.ServedNetwork()), ranges[0].End)
	var answer struct{ Model, Weights string }
	for {
		status, err := l.getJSON(ctx, path, &answer)
		if status == http.StatusGatewayTimeout || status == http.StatusServiceUnavailable {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue // it is still learning, or joining its group
		}
		s.Model, s.Weights = answer.Model, answer.Weights
		return err
	}
}

// getJSON asks this process, and decodes an answer of status 200 into v. The status is 0 without an
// answer.
func (l *Loop) getJSON(ctx context.Context, path string, v any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url(l.Admin, l.certificates.admin)+path, nil)
	if err != nil {
		return 0, err
	}
	resp, err := l.client(0).Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, fmt.Errorf("%s answered %d", path, resp.StatusCode)
	}
	return resp.StatusCode, json.NewDecoder(resp.Body).Decode(v)
}

// Standing is the quality of the predictions so far, and the model that is served.
type Standing struct {
	LogLoss             *float64 `json:"log_loss"`
	PredictedOverActual *float64 `json:"predicted_over_actual"`
	Examples            int64    `json:"-"`
	Model               string   `json:"-"`
	AgeMs               int64    `json:"-"`
}

// Standing asks feedback and scorer. It leaves out the answer that takes longer than a second.
func (l *Loop) Standing(ctx context.Context, objective string) Standing {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	query := "?objective=" + url.QueryEscape(objective)
	var s Standing
	_, _ = l.getJSON(ctx, "/v1/evaluation"+query, &s)
	var model struct {
		Model    string `json:"model"`
		Examples int64  `json:"examples"`
		AgeMs    int64  `json:"age_ms"`
	}
	if _, err := l.getJSON(ctx, "/v1/model"+query, &model); err == nil {
		s.Model, s.Examples, s.AgeMs = model.Model, model.Examples, model.AgeMs
	}
	return s
}
