package report_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/app/report"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/app/simulate"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/browser"
	"github.com/clickloop/clickloop/stream"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// start runs all stages in recorded time until the end of the test.
func start(t *testing.T, cfg config.Config) *run.Loop {
	t.Helper()
	cfg.HTTP, cfg.Admin, cfg.Data, cfg.Clock = "127.0.0.1:0", "127.0.0.1:0", t.TempDir(), config.ClockRecorded
	l, err := run.Start(t.Context(), run.Options{Config: cfg, Embedded: true, AnyPort: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := l.AwaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return l
}

// tables are a report's as CSV files, read again: rows by the columns' names.
func tables(t *testing.T, r *report.Report) map[string][]map[string]string {
	t.Helper()
	dir, all := t.TempDir(), map[string][]map[string]string{}
	if err := r.WriteCSV(dir); err != nil {
		t.Fatal(err)
	}
	for _, table := range r.Tables() {
		f, err := os.Open(filepath.Join(dir, table.ID+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines[1:] {
			row := map[string]string{}
			for i, v := range line {
				row[lines[0][i]] = v
			}
			all[table.ID] = append(all[table.ID], row)
		}
	}
	return all
}

func number(t *testing.T, row map[string]string, name string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(row[name], 64)
	if err != nil {
		t.Errorf("%s is %q in %v", name, row[name], row)
	}
	return v
}

// values are the messages of a topic, as any reader of JSON sees them.
func values(t *testing.T, l *run.Loop, topic string) (all []map[string]any) {
	t.Helper()
	ranges, err := l.Client.Offsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for p, r := range ranges {
		err := l.Client.ReadRange(t.Context(), topic, p, r.First, r.End, func(rec *stream.Record) error {
			var v map[string]any
			err := json.Unmarshal(rec.Value, &v)
			all = append(all, v)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// A report of contacts of a bank, played in lockstep, has the numbers that the topics give.
func TestTheReportOfARecordingAgreesWithItsTopics(t *testing.T) {
	rec, err := recording.Open("../../examples/bank-marketing")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.Objectives = []event.Objective{rec.Objective()}
	l := start(t, cfg)
	s, err := l.Play(t.Context(), run.PlayOptions{Recording: rec, Lockstep: true, Limit: 4200})
	if err != nil {
		t.Fatal(err)
	}
	made := func(from, to string) *report.Report {
		t.Helper()
		r, err := report.Make(t.Context(), l.Client, report.Config{Objectives: cfg.Objectives, From: from, To: to})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	all := tables(t, made("beginning", ""))
	measures := map[string]map[string]string{}
	for _, row := range all["conversion_measures"] {
		measures[row["measure"]] = row
	}
	for name, want := range map[string]*float64{"log_loss": s.LogLoss, "normalized_entropy": s.NormalizedEntropy, "auc": s.AUC, "predicted_over_actual": s.PredictedOverActual} {
		if got := number(t, measures[name], "value"); got != *want {
			t.Errorf("%s is %v, and the replay's is %v", name, got, *want)
		}
	}

	// one hour of it, from the JSON on the topic
	from, to := "2008-05-05T08:05:00.000Z", "2008-05-05T09:05:00.000Z"
	n, positives, loss := 0, 0, 0.0
	var scores [2][]float64
	for _, v := range values(t, l, event.TopicExamples("conversion")) {
		if when := v["time"].(string); when < from || when >= to {
			continue
		}
		p, y := v["p"].(float64), v["y"].(float64)
		n, positives = n+1, positives+int(y)
		loss -= math.Log(y*p + (1-y)*(1-p))
		scores[int(y)] = append(scores[int(y)], p)
	}
	above := 0.0
	for _, p := range scores[1] {
		for _, q := range scores[0] {
			if p > q {
				above++
			} else if p == q {
				above += 0.5
			}
		}
	}
	hour := made(from, to)
	all = tables(t, hour)
	for _, row := range all["conversion_measures"] {
		want, known := map[string]float64{"log_loss": loss / float64(n), "auc": above / float64(len(scores[0])*len(scores[1])), "rate": float64(positives) / float64(n)}[row["measure"]]
		if got := number(t, row, "value"); known && math.Abs(got-want) > 1e-9 {
			t.Errorf("%s of the hour is %v, want %v", row["measure"], got, want)
		}
	}
	if row := all["labels"][0]; row["predictions"] != "3600" || row["labelled"] != strconv.Itoa(n) || n != 3600 {
		t.Errorf("%v, want 3600 predictions and %d labels", row, n)
	}
	look(t, hour, "bank-marketing")
}

// A report of simulated auctions has what the exchange has counted itself.
func TestTheReportOfBidsAgreesWithTheExchange(t *testing.T) {
	cfg, err := config.Load("../../examples/bidding/clickloop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Learner.Publish = 0 // the exchange waits for the scorer
	l := start(t, cfg)
	names := []string{"click", "conversion"}
	campaigns, err := campaign.Load(cfg.Bidding.Campaigns, names)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	exchange, err := simulate.New(simulate.Config{
		Bidder: "http://" + l.HTTP, Admin: "http://" + l.Admin, Client: &http.Client{Timeout: time.Minute, Transport: transport}, Seed: 1, Length: 3 * time.Hour, PerHour: 400, Outage: -1,
		For: time.Second, Rate: 1, Connections: 4, Campaigns: campaigns, Objectives: cfg.Objectives, Objective: "click", Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	sold, err := exchange.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := report.Make(t.Context(), l.Client, report.Config{Objectives: cfg.Objectives, Currency: cfg.Bidding.Currency, From: "beginning"})
	if err != nil {
		t.Fatal(err)
	}
	all := tables(t, r)
	told := map[string]map[string]string{}
	for _, row := range all["campaigns"] {
		told[row["campaign"]] = row
	}
	for _, c := range append(slices.Clone(sold.Campaigns), simulate.Row{Name: "(all)", Tally: sold.All.Tally}) {
		if c.Bids == 0 {
			continue
		}
		row := told[c.Name]
		if got := number(t, row, "bids"); int64(got) != c.Bids {
			t.Errorf("%s made %v bids, the exchange got %d", c.Name, got, c.Bids)
		}
		if got := number(t, row, "impressions"); int64(got) != c.Shown {
			t.Errorf("%s has %v impressions, the exchange billed %d", c.Name, got, c.Shown)
		}
		if got := number(t, row, "spent"); math.Abs(got-c.Spend) > 1e-6*float64(c.Shown+1) { // each price is told in whole micros
			t.Errorf("%s spent %v, by the exchange %v", c.Name, got, c.Spend)
		}
	}
	if sold.All.Shown < 100 || len(told) < 5 {
		t.Fatalf("too little was sold: %+v", sold.All)
	}
	look(t, r, "bidding")
}

// look opens a report in a browser, where one is named: it complains of nothing, asks nobody for
// anything, has no serious fault for screen readers, and fits a phone.
func look(t *testing.T, r *report.Report, name string) {
	t.Run("browser", func(t *testing.T) {
		b := browser.Start(t)
		var page bytes.Buffer
		if err := r.WriteHTML(&page); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), name+".html")
		if err := os.WriteFile(file, page.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, v := range []browser.View{{Width: 1280}, {Width: 1280, Dark: true}, {Width: 390, Height: 844}, {Width: 390, Height: 844, Dark: true}} {
			p := b.Page(t, v)
			p.Go("file://" + file)
			at := fmt.Sprintf("%d pixels, dark %v", v.Width, v.Dark)
			if faults := p.Faults(); len(faults) > 0 {
				t.Errorf("%s: %q", at, faults)
			}
			if got := p.Text("h1"); got != r.Title {
				t.Errorf("%s: the title is %q", at, got)
			}
			var wide, tables, charts int
			p.Eval(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &wide)
			p.Eval(`document.querySelectorAll("table").length`, &tables)
			p.Eval(`document.querySelectorAll("svg[role=img] desc").length`, &charts)
			if wide > 0 || tables != len(r.Tables()) || charts < 5 {
				t.Errorf("%s: it is %d pixels too wide, has %d tables of %d and %d charts", at, wide, tables, len(r.Tables()), charts)
			}
			if found := p.Axe(); len(found) > 0 {
				t.Errorf("%s: %q", at, found)
			}
		}
	})
}
