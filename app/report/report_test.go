package report

import (
	"bytes"
	"encoding/csv"
	"errors"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
)

// reported makes the report of the world's second span.
func (w *world) reported() *Report {
	w.t.Helper()
	from, to := w.period()
	r, err := Make(w.t.Context(), w.client, Config{Objectives: []event.Objective{clicks}, Currency: "EUR", From: from, To: to})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// find is a table of a report as CSV: a map of each row.
func find(t *testing.T, r *Report, id string) (rows []map[string]string) {
	t.Helper()
	for _, table := range r.Tables() {
		if table.ID != id {
			continue
		}
		cells := table.cells()
		for _, line := range cells[1:] {
			row := map[string]string{}
			for i, v := range line {
				row[cells[0][i]] = v
			}
			rows = append(rows, row)
		}
		return rows
	}
	t.Fatalf("there is no table %s", id)
	return nil
}

func float(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatalf("%q is no number", s)
	}
	return v
}

// in are the examples of the period.
func (w *world) in(from, to event.Time) (list []event.Example) {
	for _, x := range w.examples {
		if x.Time >= from && x.Time < to {
			list = append(list, x)
		}
	}
	return list
}

// The figures are those that plain sums over what was written give.
func TestFiguresAreThoseOfTheTopics(t *testing.T) {
	w := newWorld(t, 1)
	w.fill(3000)
	r := w.reported()
	list := w.in(w.start+w.length, w.start+2*w.length)
	var weight, loss, predicted, actual, pairs, up, down float64
	for _, x := range list {
		weight += x.W
		loss -= x.W * (x.Y*math.Log(x.P) + (1-x.Y)*math.Log(1-x.P))
		predicted += x.W * x.P
		actual += x.W * x.Y
		up, down = up+x.W*x.Y, down+x.W*(1-x.Y)
		for _, y := range list {
			if x.Y == 1 && y.Y == 0 {
				pairs += x.W * y.W * (float64(b2i(x.P > y.P)) + float64(b2i(x.P == y.P))/2)
			}
		}
	}
	want := map[string]float64{"rate": actual / weight, "log_loss": loss / weight, "predicted_over_actual": predicted / actual, "auc": pairs / (up * down),
		"normalized_entropy": loss / weight / -(actual/weight*math.Log(actual/weight) + (1-actual/weight)*math.Log(1-actual/weight))}
	for _, row := range find(t, r, "click_measures") {
		if v, ok := want[row["measure"]]; ok {
			within := 1e-9
			if row["measure"] == "auc" {
				within = 1e-3 // scores are counted in bins
			}
			near(t, row["measure"], float(t, row["value"]), v, within)
			delete(want, row["measure"])
		}
	}
	if len(want) > 0 {
		t.Errorf("not told: %v", want)
	}
	var examples, positives float64
	for _, row := range find(t, r, "click_quality_over_time") {
		examples, positives = examples+float(t, row["examples"]), positives+float(t, row["positives"])
	}
	if int(examples) != len(list) {
		t.Errorf("the buckets have %v examples, want %d", examples, len(list))
	}
	labels := find(t, r, "labels")[0]
	for name, want := range map[string]string{"predictions": "3000", "labelled": strconv.Itoa(len(list)), "revised": "1"} {
		if labels[name] != want {
			t.Errorf("%s is %s, want %s", name, labels[name], want)
		}
	}
	if got := float(t, labels["untriggered"]) + float(t, labels["undecided"]); int(got) != 3000-len(list) {
		t.Errorf("%v predictions have no label, want %d", got, 3000-len(list))
	}
}

// Every bid, win and micro counts once, at the time of its bid, whatever the order of the steps.
func TestMoneyIsThatOfTheValidSteps(t *testing.T) {
	w := newWorld(t, 2)
	w.fill(2000)
	r := w.reported()
	type sum struct{ bids, wins, spent, positives int }
	want := map[string]*sum{}
	bid := map[string]*sum{}
	for i, p := range w.predictions {
		if i >= 2000 {
			c := want[p.Campaign]
			if c == nil {
				c = &sum{}
				want[p.Campaign] = c
			}
			c.bids++
			bid[p.ID] = c
		}
	}
	seen := map[int64]bool{}
	for _, s := range w.steps {
		if c := bid[s.Bid]; c != nil && s.Step == event.StepBill && s.Epoch == 2 && !seen[s.Seq] {
			seen[s.Seq] = true
			c.wins++
			c.spent += int(s.Spent)
		}
	}
	for _, x := range w.examples {
		if c := bid[x.Prediction]; c != nil && x.Y == 1 {
			c.positives++
		}
	}
	results := find(t, r, "campaign_results")
	all := sum{}
	for _, c := range want {
		all = sum{all.bids + c.bids, all.wins + c.wins, all.spent + c.spent, all.positives + c.positives}
	}
	for i, row := range find(t, r, "campaigns") {
		c := want[strings.TrimPrefix(row["campaign"], "'")]
		if row["campaign"] == "(all)" {
			c = &all
		}
		if c == nil {
			t.Fatalf("there is no campaign %q", row["campaign"])
		}
		if row["bids"] != strconv.Itoa(c.bids) || row["impressions"] != strconv.Itoa(c.wins) || math.Abs(float(t, row["spent"])*1e6-float64(c.spent)) > 0.5 {
			t.Errorf("%s: %s bids, %s impressions, %s spent; want %+v", row["campaign"], row["bids"], row["impressions"], row["spent"], *c)
		}
		near(t, "win rate", float(t, row["win_rate"]), float64(c.wins)/float64(c.bids), 1e-12)
		near(t, "worth", float(t, row["worth"]), 2*float64(c.spent)/1e6, 1e-9)
		if results[i]["click_positives"] != strconv.Itoa(c.positives) {
			t.Errorf("%s: %s clicks, want %d", row["campaign"], results[i]["click_positives"], c.positives)
		}
	}
	// a click costs what the impressions with a label cost, over their clicks
	cost, clicked := 0.0, 0
	price := map[string]int64{}
	for _, s := range w.steps {
		if s.Step == event.StepBill && s.Epoch == 2 && s.Spent > 0 {
			price[s.Bid] = s.Spent
		}
	}
	for _, x := range w.in(w.start+w.length, w.start+2*w.length) {
		cost, clicked = cost+float64(price[x.Prediction])/1e6, clicked+int(x.Y)
	}
	near(t, "cost of a click", float(t, results[0]["click_cost"]), cost/float64(clicked), 1e-9)
	spent := 0.0
	for _, row := range find(t, r, "money_over_time") {
		spent += float(t, row["spent"])
	}
	near(t, "spent over time", spent, float64(all.spent)/1e6, 1e-9)
}

// Half as many clicks as predicted, a feature that is gone, alarms and dead letters are all told.
func TestTheSummaryTellsWhatIsWrong(t *testing.T) {
	w := newWorld(t, 3)
	w.fill(4000)
	r := w.reported()
	var text strings.Builder
	if err := r.WriteSummary(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"share of positives of click: -", "The guard raised 1 alarm.", "2 records became dead letters.", `Features have drifted`, `"device"`, "predictions in 6 h", "in the span before", "EUR"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the summary does not say %q:\n%s", want, text.String())
		}
	}
	for _, row := range find(t, r, "drift") {
		if verdict := map[string]string{"device": "gone", "hour": "no", "site": "no"}[row["feature"]]; verdict != "" && row["verdict"] != verdict {
			t.Errorf("drift of %s: %s (%s), want %s", row["feature"], row["verdict"], row["psi"], verdict)
		}
	}
	if rows := find(t, r, "networks"); len(rows) != 1 || rows[0]["better"] != "network" {
		t.Errorf("networks: %v", rows)
	}
	if rows := find(t, r, "network_losses"); len(rows) != 1 || rows[0]["network"] != "plain" || rows[0]["examples"] != "1000" || rows[0]["log_loss"] != "0.2" {
		t.Errorf("losses of networks: %v", rows)
	}
	if rows := find(t, r, "deadletters"); rows[0]["letters"] != "2" || rows[0]["letters_before"] != "0" {
		t.Errorf("dead letters: %v", rows)
	}
	for _, row := range find(t, r, "click_segments_busiest") {
		if row["field"] == "cookie" {
			t.Errorf("an id is a segment: %v", row)
		}
	}
}

var times = regexp.MustCompile(`\b\d{4}-\d\d-\d\d`)

// The same records give the same bytes, whatever day it is.
func TestTheSameReportHasTheSameBytes(t *testing.T) {
	w := newWorld(t, 4)
	w.fill(1500)
	var first, second bytes.Buffer
	if err := errors.Join(w.reported().WriteHTML(&first), w.reported().WriteHTML(&second)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two reports of the same period differ")
	}
	for _, day := range times.FindAllString(first.String(), -1) {
		if day != "2026-11-24" {
			t.Errorf("the page has the date %s, which is not in its period", day)
		}
	}
	// what comes after the period changes nothing
	p := w.prediction(1, w.start+2*w.length+1, true)
	x := event.Example{Objective: "click", Prediction: p.ID, Time: p.Time, P: 0.5, W: 1, Model: "click@7", Source: event.Source{Topic: "0123abcd", Offset: 1 << 40}}
	w.produce(event.TopicPredictions, record(p.AppendJSON(nil)))
	w.produce(event.TopicExamples("click"), record(x.AppendJSON(nil)))
	letter := event.DeadLetter{Stage: "ingest", Reason: "later", Time: p.Time}
	w.produce(event.TopicDeadLetter, record(letter.AppendJSON(nil)))
	alarm := event.Evaluation{Objective: "click", Window: "guard", Start: p.Time, End: p.Time, Alarm: "later"}
	w.produce(event.TopicEvaluations, record(alarm.AppendJSON(nil)))
	allow := event.BidStep{Step: event.StepAllow, Campaign: "c1", Bidder: "b1", Time: p.Time, Epoch: 2, BudgetDaily: 5_000_000}
	bid := event.BidStep{Step: event.StepBid, Bid: "later", Campaign: "c1", Time: p.Time, Epoch: 2, Seq: 1 << 30, Reserved: 1, Price: 1}
	w.produce(event.TopicBids, record(allow.AppendJSON(nil)), record(bid.AppendJSON(nil)))
	var third bytes.Buffer
	if err := w.reported().WriteHTML(&third); err != nil {
		t.Fatal(err)
	}
	undecided := regexp.MustCompile(`(?s)id="table-labels".*?</table>`) // labels that might have come are decided now
	if !bytes.Equal(undecided.ReplaceAll(first.Bytes(), nil), undecided.ReplaceAll(third.Bytes(), nil)) {
		t.Error("a later record has changed the report")
	}
}

// Names from the internet are texts, on the page and in spreadsheets.
func TestTextsAreHarmless(t *testing.T) {
	w := newWorld(t, 5)
	w.fill(500)
	r := w.reported()
	var page bytes.Buffer
	if err := r.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "</style><", "http://", "https://", "src=", "@import", "url("} {
		if n := strings.Count(page.String(), bad); n > 0 {
			t.Errorf("the page has %q %d times", bad, n)
		}
	}
	if !strings.Contains(page.String(), "&lt;script&gt;") {
		t.Error("the nasty name is not on the page")
	}
	dir := t.TempDir()
	if err := r.WriteCSV(dir); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != len(r.Tables()) {
		t.Fatalf("%d files of %d tables: %v", len(files), len(r.Tables()), err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := csv.NewReader(bytes.NewReader(b)).ReadAll(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for in, want := range map[string]string{"=1+1": "'=1+1", "+1": "'+1", "-x": "'-x", "@a": "'@a", "plain": "plain", "": ""} {
		if got := harmless(in); got != want {
			t.Errorf("%q is written as %q, want %q", in, got, want)
		}
	}
}

// A period without bids, topics without records and topics that do not exist are told.
func TestWhatIsNotKnownIsSaid(t *testing.T) {
	w := newWorld(t, 6)
	from, to := w.period()
	objectives := []event.Objective{clicks, {Name: "sale", Trigger: event.TriggerPrediction, Positive: "purchase", Window: 1000}}
	_, err := Make(t.Context(), w.client, Config{Objectives: objectives, From: from, To: to})
	if !errors.Is(err, ErrNothing) || !strings.Contains(err.Error(), "--prefix") {
		t.Errorf("of empty topics: %v", err)
	}
	p := w.prediction(0, w.start+w.length+7, true)
	w.produce(event.TopicPredictions, record(p.AppendJSON(nil)))
	r, err := Make(t.Context(), w.client, Config{Objectives: objectives})
	if err != nil {
		t.Fatal(err)
	}
	var unknown string
	for _, s := range r.Sections {
		if s.ID == "unknown" {
			unknown = strings.Join(s.Notes, "\n")
		}
	}
	for _, want := range []string{"no bids in this period", "Objective click: the period has no labelled example", "Objective sale", "Networks: none", "Drift of features"} {
		if !strings.Contains(unknown, want) {
			t.Errorf("it does not say %q:\n%s", want, unknown)
		}
	}
	ids := []string{}
	for _, table := range r.Tables() {
		ids = append(ids, table.ID)
	}
	slices.Sort(ids)
	if len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Errorf("two tables have one name: %v", ids)
	}
}
