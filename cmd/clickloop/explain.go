package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/running"
	"github.com/clickloop/clickloop/app/story"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

const explainExamples = `  clickloop explain r1.0                           what became of a prediction, and why
  clickloop explain r1.0 --json | jq .objectives   the same as one JSON object
  clickloop explain r1.0 --at 2026-11-25T09:00:00Z made at about that time: the search begins there

Beside a running ` + "`clickloop up`" + ` no address is needed, and its index of the newest predictions is used. Exit status 1: there is
no such prediction, and the message says what was searched.
`

// explainCommand tells one prediction's way: the process that runs here does, or else the topics.
func explainCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := newFlags("explain", "explain PREDICTION [flags]", explainExamples, stderr)
	common := config.CommonFlags(fs)
	asJSON := fs.Bool("json", false, "print one JSON object (docs/schemas/story.json)")
	brief := fs.Bool("brief", false, "leave out what the weights say, which have to be read")
	at := fs.String("at", "", "about when it was made: a `time` in RFC 3339")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return misused(stderr, "explain", "name one prediction by its id, such as r1.0")
	}
	q := story.Question{ID: rest[0], Brief: *brief}
	if *at != "" {
		if q.At, err = story.ParseAt(*at); err != nil {
			return misused(stderr, "explain", "--%v", err)
		}
	}
	cfg, err := loadRunning(common, stderr)
	if err != nil {
		return err
	}
	told, err := askUp(ctx, &cfg, q)
	if told == nil && err == nil {
		told, err = tellFromTopics(ctx, &cfg, q, stderr)
	}
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(stdout).Encode(told)
	}
	return told.Write(stdout)
}

// tellFromTopics searches the topics, with progress on a terminal.
func tellFromTopics(ctx context.Context, cfg *config.Config, q story.Question, stderr io.Writer) (*story.Story, error) {
	client, err := dialKafka(ctx, cfg.Kafka, "clickloop-explain", nil, stream.Need{Name: event.TopicPredictions, Operations: []string{stream.OpRead}})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	finder := story.Finder{Client: client, Objectives: cfg.Objectives, Revise: cfg.Feedback.Revises(), Now: func() event.Time { return event.TimeOf(time.Now()) }}
	if isTerminal(stderr) {
		shown := false
		finder.Progress = func(topic string, records, of int64) {
			if shown = true; of > 0 {
				fmt.Fprintf(stderr, "\r%s: %d of %d records", topic, records, of)
			}
		}
		defer func() {
			if shown {
				fmt.Fprint(stderr, "\r\x1b[K")
			}
		}()
	}
	told, err := finder.Tell(ctx, q)
	if err == nil && !told.Found() {
		err = told.Missing()
	}
	return told, err
}

// askUp asks the process that runs with the brokers of cfg. It returns nil where there is none, or
// it does not answer with a story: the topics then tell.
func askUp(ctx context.Context, cfg *config.Config, q story.Question) (*story.Story, error) {
	up := upAt(cfg.Kafka.Brokers)
	if up == nil || up.Admin == "" {
		return nil, nil
	}
	query := url.Values{}
	if !q.At.IsZero() {
		query.Set("at", q.At.Format(time.RFC3339Nano))
	}
	if q.Brief {
		query.Set("brief", "1")
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, urlOf(up.Admin, up.AdminHTTPS)+"/v1/predictions/"+url.PathEscape(q.ID)+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return nil, nil
	}
	answer, err := upClient(up).Do(r)
	if err != nil {
		return nil, nil
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxStory))
	if err != nil {
		return nil, nil
	}
	var told story.Story
	if answer.StatusCode == http.StatusOK && json.Unmarshal(body, &told) == nil && told.ID == q.ID {
		return &told, nil
	}
	var refused struct {
		Error struct{ Code, Message string }
	}
	if answer.StatusCode == http.StatusNotFound && json.Unmarshal(body, &refused) == nil && refused.Error.Code == "not_found" && len(refused.Error.Message) > 0 {
		return nil, errors.New(refused.Error.Message)
	}
	return nil, nil
}

const maxStory = 32 << 20 // bytes

// upClient calls the admin port of a process on this machine. Where that wants a key, it refuses
// and the topics tell.
func upClient(up *running.Up) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if up.AdminHTTPS {
		// its certificate need not name the address: the file that announces it is this user's
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	}
	return &http.Client{Transport: transport}
}
