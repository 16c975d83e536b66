package run_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/browser"
)

// startOn runs all stages on the services of the test's environment: real ones where it names some.
func startOn(t *testing.T, change func(*config.Config)) *run.Loop {
	t.Helper()
	if !backend.Real() {
		return start(t, change)
	}
	cfg := config.Default()
	cfg.HTTP, cfg.Admin, cfg.Data = "127.0.0.1:0", "127.0.0.1:0", t.TempDir()
	cfg.Kafka.Brokers, cfg.Kafka.Prefix, cfg.Redis.Address = backend.Kafka(t), backend.Prefix(t), backend.Redis(t)
	change(&cfg)
	l, err := run.Start(t.Context(), run.Options{Config: cfg, AnyPort: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := l.AwaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return l
}

// written is how many records a topic holds: what the page shows of it.
func written(t *testing.T, l *run.Loop, topic string) (n int64) {
	t.Helper()
	ranges, err := l.Client.Offsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range ranges {
		n += r.End
	}
	return n
}

// figure is a number that the page shows, and the text of which it is read.
func figure(t *testing.T, p *browser.Page, name string) (float64, string) {
	t.Helper()
	text := p.Text(fmt.Sprintf(`[data-figure="%s"]`, name))
	number, _, _ := strings.Cut(text, " ")
	v, err := strconv.ParseFloat(strings.ReplaceAll(number, ",", ""), 64)
	if err != nil {
		t.Fatalf("%s is shown as %q", name, text)
	}
	return v, number
}

const shownView = `location.hash === "#%s" && document.querySelector("#main .view")?.children.length > 0 && !/Asking the server|Searching the topics|cannot be drawn/.test(document.getElementById("main").innerText)`

// The page is opened while a recording is played: every view is drawn without a fault and without a
// request to another host, records of topics are between those before and those behind the look,
// and when the replay has ended each figure is that of the topics.
func TestThePageShowsWhatTheTopicsHold(t *testing.T) {
	b := browser.Start(t)
	rec := open(t, bank)
	l := startOn(t, recorded(rec))
	p := b.Page(t, browser.View{Zone: "UTC"})
	p.Go(l.Dashboard())
	p.Wait(`document.querySelector("#status").innerText.includes("Live")`)

	const rows = 6000
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	played := make(chan error, 1)
	go func() {
		_, err := l.Play(ctx, run.PlayOptions{Recording: rec, Limit: rows, Speed: 1200})
		played <- err
	}()
	moving := []string{event.TopicEvents, event.TopicPredictions, event.TopicEvaluations, event.TopicExamples("conversion")}
	for _, view := range []string{"loop", "quality", "calibration", "segments", "predictions", "networks", "health", "bidding", "loop"} {
		p.Eval(fmt.Sprintf("location.hash = %q", "#"+view), nil)
		p.Wait(fmt.Sprintf(shownView, view))
		if view != "loop" {
			continue
		}
		before := map[string]int64{}
		for _, topic := range moving {
			before[topic] = written(t, l, topic)
		}
		// a state that was made behind this moment
		p.Eval(`window.asked = new Date().toISOString()`, nil)
		p.Wait(`document.querySelector('[data-now]').dataset.now > window.asked`)
		for _, topic := range moving {
			got, _ := figure(t, p, "records/"+topic)
			if after := written(t, l, topic); int64(got) < before[topic] || int64(got) > after {
				t.Errorf("%s: the page shows %.0f records; before there were %d, behind %d", topic, got, before[topic], after)
			}
		}
	}
	if err := <-played; err != nil {
		t.Fatal(err)
	}
	p.Wait(fmt.Sprintf(`document.querySelector('[data-figure="records/predictions"]').innerText === "6,000" && document.querySelector('[data-figure="records/%s"]').innerText === "6,000"`, event.TopicExamples("conversion")))
	checkEvaluation(t, l, p)
	for _, topic := range append(moving, event.TopicDeadLetter, event.TopicModel("conversion")) {
		if got, _ := figure(t, p, "records/"+topic); int64(got) != written(t, l, topic) {
			t.Errorf("%s: the page shows %.0f records, there are %d", topic, got, written(t, l, topic))
		}
	}
	id := checkRows(t, l, p)
	checkWay(t, l, p, id)
	for _, fault := range p.Faults() {
		t.Error(fault)
	}
}

// checkEvaluation compares the figures of the newest evaluation since the start with the topic's.
func checkEvaluation(t *testing.T, l *run.Loop, p *browser.Page) {
	t.Helper()
	var want map[string]any
	for _, text := range records(t, l, event.TopicEvaluations) {
		var e map[string]any
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		if e["window"] == "all" && e["segment"] == nil {
			want = e
		}
	}
	p.Wait(fmt.Sprintf(`document.querySelector('[data-figure="conversion/all/examples"]').innerText.replaceAll(",", "") === "%.0f"`, want["examples"]))
	for name, places := range map[string]int{"log_loss": 4, "normalized_entropy": 3, "predicted_over_actual": 3, "auc": 3} {
		if _, got := figure(t, p, "conversion/all/"+name); got != strconv.FormatFloat(want[name].(float64), 'f', places, 64) {
			t.Errorf("%s is shown as %s, the topic has %v", name, got, want[name])
		}
	}
}

// checkRows compares the rows of the last predictions with the topic, and returns the id of one.
func checkRows(t *testing.T, l *run.Loop, p *browser.Page) string {
	t.Helper()
	type prediction struct {
		ID   string
		Time string
		P    map[string]float64
	}
	made := map[string]prediction{}
	for _, text := range records(t, l, event.TopicPredictions) {
		var m prediction
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		made[m.ID] = m
	}
	p.Eval(`location.hash = "#predictions"`, nil)
	p.Wait(`document.querySelectorAll('[aria-label="Last predictions"] tbody tr').length > 10`)
	var rows []struct{ ID, Time, P string }
	p.Eval(`[...document.querySelectorAll('[aria-label="Last predictions"] tbody tr')].map((r) => ({
		ID: decodeURIComponent(r.querySelector("a").hash.split("=")[1]), Time: r.querySelector("time").dateTime, P: r.querySelector('[data-name="p conversion"]').innerText}))`, &rows)
	for _, r := range rows {
		want, known := made[r.ID]
		got, err := strconv.ParseFloat(r.P, 64)
		if err != nil || !known || math.Abs(got-want.P["conversion"]) > 0.0006*want.P["conversion"] || r.Time != want.Time {
			t.Errorf("the page shows %+v, the topic has %+v", r, want)
		}
	}
	return rows[len(rows)-1].ID
}

// checkWay follows a row to one prediction's way.
func checkWay(t *testing.T, l *run.Loop, p *browser.Page, id string) {
	t.Helper()
	if status, _, _ := call(t, http.DefaultClient, http.MethodGet, "http://"+l.Admin+"/v1/predictions/"+id); status == http.StatusNotFound {
		t.Log("this process does not serve /v1/predictions")
		return
	}
	p.Eval(fmt.Sprintf(`[...document.querySelectorAll("main a")].find((a) => a.innerText === %q).click()`, id), nil)
	p.Wait(`document.querySelector("h1").innerText === "One prediction's way" && document.getElementById("main").innerText.includes("Features as used")`)
	if text := p.Text("#main"); !strings.Contains(text, id) || !strings.Contains(text, "term-deposit") || !strings.Contains(text, "Objective conversion") {
		t.Errorf("the way of %s is shown as\n%.1000s", id, text)
	}
}

// The view of bidding has the campaigns, and as many bids as the topic has.
func TestThePageShowsTheBidsOfTheTopic(t *testing.T) {
	b := browser.Start(t)
	l := bidding(t)
	p := b.Page(t, browser.View{Width: 390, Height: 844, Dark: true})
	p.Go(l.Dashboard() + "#bidding")
	bids := 0
	for _, text := range records(t, l, event.TopicBids) {
		var step struct{ Step string }
		if err := json.Unmarshal(text, &step); err != nil {
			t.Fatal(err)
		}
		if step.Step == "bid" {
			bids++
		}
	}
	if bids == 0 {
		t.Fatal("the topic has no bid")
	}
	p.Wait(fmt.Sprintf(`[...document.querySelectorAll('[aria-label="Campaigns"] td[data-name="Bids"]')].reduce((n, e) => n + Number(e.innerText.replaceAll(",", "")), 0) === %d`, bids))
	for _, fault := range p.Faults() {
		t.Error(fault)
	}
}
