package clickloop

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// board is a dashboard of Grafana. Its JSON in deploy/grafana is written from here by make docs, so
// that a query is one line to read and to change.
type board struct {
	file, title, about string
	rows               []row
}

type row struct {
	title  string
	panels []panel
}

// panel is a graph. Its queries are pairs: an expression, and how its series are called.
type panel struct {
	title, unit, about string
	queries            []string
}

// q99 is the p99 of a histogram by some labels.
func q99(metric, by string) string {
	labels := "le"
	if by != "" {
		labels += ", " + by
	}
	return "histogram_quantile(0.99, sum by (" + labels + ") (rate(" + metric + "_bucket[$__rate_interval])))"
}

func q50(metric, by string) string { return strings.Replace(q99(metric, by), "0.99", "0.5", 1) }

// rate is the rate of a counter by some labels.
func rate(metric, by string) string {
	if by == "" {
		return "sum(rate(" + metric + "[$__rate_interval]))"
	}
	return "sum by (" + by + ") (rate(" + metric + "[$__rate_interval]))"
}

// one is a graph of one expression.
func one(title, unit, about, expression, legend string) panel {
	return panel{title, unit, about, []string{expression, legend}}
}

const ofObjective = `{objective=~"$objective"}`

var boards = []board{
	{"clickloop-loop", "clickloop: the loop", "Each hop from an event to the weights that learned it: rates, how far behind, and what is dropped.", []row{
		{"Health", []panel{
			one("Ready", "bool", "1 while a stage is ready.", "min by (stage) (clickloop_ready)", "{{stage}}"),
			one("Watermark's age", "s", "How old the newest complete moment of events is: labels wait for it. In a replay it is recorded time.", "time() - clickloop_feedback_watermark_timestamp_seconds", "{{instance}}"),
			one("Versions", "none", "Processes by what they were built from.", "sum by (version, goversion) (clickloop_build_info)", "{{version}} {{goversion}}"),
		}},
		{"Rates", []panel{
			one("Events received", "cps", "Over HTTP, by verdict.", rate("clickloop_ingest_collected_total", "verdict"), "{{verdict}}"),
			one("Events folded into profiles", "cps", "", rate("clickloop_ingest_events_total", "result"), "{{result}}"),
			one("Score requests", "reqps", "By answer.", rate("clickloop_scorer_requests_total", "answer"), "{{answer}}"),
			one("Predictions", "cps", "By what became of them.", rate("clickloop_scorer_predictions_total", "result"), "{{result}}"),
			one("Labels", "cps", "By objective and label; none: the trigger did not happen.", rate("clickloop_feedback_examples_total", "objective, label"), "{{objective}} {{label}}"),
			one("Examples learned", "cps", "", rate("clickloop_learner_examples_total", "objective, result"), "{{objective}} {{result}}"),
		}},
		{"Behind", []panel{
			one("Consumers, in records", "short", "Labels wait for windows on purpose.", "sum by (consumer) (clickloop_kafka_lag_records)", "{{consumer}}"),
			one("Consumers, in seconds", "s", "Age of the newest record read, while there are others behind it.", "max by (consumer) (clickloop_kafka_lag_seconds)", "{{consumer}}"),
			one("Age of the served weights", "s", "Without new examples weights age, and that is no fault.", "time() - max by (objective) (clickloop_scorer_version_timestamp_seconds > 0)", "{{objective}}"),
		}},
		{"Drops and retries", []panel{
			one("Dead letters", "cps", "Records that can never be handled.", rate("clickloop_ingest_deadletters_total", "")+" or vector(0)", "ingest"),
			{"Predictions without a label of their own", "cps", "Repeats, and other answers to a request that was answered before.", []string{
				rate("clickloop_feedback_repeated_total", ""), "repeated", rate("clickloop_feedback_conflicts_total", ""), "conflict"}},
			one("Events of outcomes", "cps", "Token and refused label nothing.", rate("clickloop_feedback_outcome_events_total", "result"), "{{result}}"),
			one("Left the embedded services", "cps", "Only with embedded services.", rate("clickloop_embedded_trimmed_records_total", "topic")+" or vector(0)", "{{topic}}"),
		}},
	}},
	{"clickloop-scorer", "clickloop: scorer", "Latency, load and degradation of scores.", []row{
		{"Calls", []panel{
			{"Latency of a call", "s", "", []string{q50("clickloop_scorer_call_seconds", ""), "p50", q99("clickloop_scorer_call_seconds", ""), "p99"}},
			one("Answers", "reqps", "", rate("clickloop_scorer_requests_total", "answer"), "{{answer}}"),
			one("Status codes", "reqps", "Of the public port.", `sum by (code) (rate(clickloop_http_responses_total{port="public"}[$__rate_interval])) > 0`, "{{code}}"),
			one("Share answered 503", "percentunit", "", `sum(rate(clickloop_http_responses_total{port="public",code="503"}[$__rate_interval])) / sum(rate(clickloop_http_responses_total{port="public"}[$__rate_interval]))`, "503"),
		}},
		{"Load", []panel{
			one("Queue for a processor", "s", "Above scorer.max_queue_time calls are refused.", "max by (instance) (clickloop_scorer_queue_seconds)", "{{instance}}"),
			one("Share refused as busy", "percentunit", "", "max by (instance) (clickloop_scorer_refused_ratio)", "{{instance}}"),
			one("Open connections", "short", "", "sum by (port) (clickloop_http_connections)", "{{port}}"),
			one("Processors in use", "short", "", "rate(process_cpu_seconds_total[$__rate_interval])", "{{instance}}"),
			one("Memory", "bytes", "", "process_resident_memory_bytes", "{{instance}}"),
			one("Goroutines", "short", "", "go_goroutines", "{{instance}}"),
		}},
		{"Predictions that wait for Kafka", []panel{
			one("Predictions", "short", "", "sum by (instance) (clickloop_scorer_waiting_predictions)", "{{instance}}"),
			one("Bytes", "bytes", "At scorer.max_waiting requests get 503.", "sum by (instance) (clickloop_scorer_waiting_bytes)", "{{instance}}"),
		}},
		{"Degradation", []panel{
			one("Scored without", "cps", "Profiles or weights.", rate("clickloop_scorer_degraded_total", "missing"), "{{missing}}"),
			one("Breaker", "bool", "1: Redis is not waited for.", "max by (instance) (clickloop_scorer_breaker_open)", "{{instance}}"),
			one("Messages of weights", "cps", "", rate("clickloop_scorer_weights_total", "objective, result"), "{{objective}} {{result}}"),
			one("Served version", "short", "Examples learned.", "clickloop_scorer_version_examples", "{{instance}} {{objective}}"),
		}},
	}},
	{"clickloop-learner", "clickloop: learner and quality", "Loss, calibration and AUC as feedback measures them, and how the learner fares.", []row{
		{"Quality, of the newest windows", []panel{
			one("Log loss", "none", "Progressive validation loss: each example was predicted before it was learned.", "clickloop_feedback_evaluation_log_loss"+ofObjective, "{{objective}} {{window}}"),
			one("Normalized entropy", "none", "Below 1 is better than predicting the mean.", "clickloop_feedback_evaluation_normalized_entropy"+ofObjective, "{{objective}} {{window}}"),
			one("AUC", "none", "", "clickloop_feedback_evaluation_auc"+ofObjective, "{{objective}} {{window}}"),
			one("Predicted over actual", "none", "1 is calibrated.", "clickloop_feedback_evaluation_predicted_over_actual"+ofObjective, "{{objective}} {{window}}"),
			one("ECE", "none", "Expected calibration error.", "clickloop_feedback_evaluation_ece"+ofObjective, "{{objective}} {{window}}"),
			{"Examples", "short", "In the window.", []string{"clickloop_feedback_evaluation_examples" + ofObjective, "{{objective}} {{window}}", "clickloop_feedback_evaluation_positives" + ofObjective, "{{objective}} {{window}} positive"}},
		}},
		{"Calibration of what is served, over an hour", []panel{
			{"Predicted over actual, with its 95% interval", "none", "By Poisson's law of the actual positives.", []string{
				"sum by (objective) (increase(clickloop_feedback_predicted_positives_total" + ofObjective + "[1h])) / sum by (objective) (increase(clickloop_feedback_actual_positives_total" + ofObjective + "[1h]))", "{{objective}}",
				"sum by (objective) (increase(clickloop_feedback_predicted_positives_total" + ofObjective + "[1h])) / (sum by (objective) (increase(clickloop_feedback_actual_positives_total" + ofObjective + "[1h])) + 1.96 * sqrt(sum by (objective) (increase(clickloop_feedback_actual_positives_total" + ofObjective + "[1h]))))", "{{objective}} low",
				"sum by (objective) (increase(clickloop_feedback_predicted_positives_total" + ofObjective + "[1h])) / (sum by (objective) (increase(clickloop_feedback_actual_positives_total" + ofObjective + "[1h])) - 1.96 * sqrt(sum by (objective) (increase(clickloop_feedback_actual_positives_total" + ofObjective + "[1h]))) > 0)", "{{objective}} high"}},
			one("Guard", "bool", "1 while an alarm stands.", "max by (objective) (clickloop_feedback_alarm"+ofObjective+")", "{{objective}}"),
		}},
		{"Labels", []panel{
			one("Labels after their window", "s", "How long the oldest prediction of a batch had been due.", "clickloop_feedback_label_delay_seconds"+ofObjective, "{{objective}}"),
			one("Predictions in memory", "short", "They wait for their label.", "sum by (objective) (clickloop_feedback_waiting_predictions"+ofObjective+")", "{{objective}}"),
			one("Heartbeats", "cps", "Ahead and slow ones do not count.", rate("clickloop_feedback_heartbeats_total", "result"), "{{result}}"),
		}},
		{"Learner", []panel{
			one("Learned loss", "none", "By network: compare those of one objective.", "sum by (objective) (rate(clickloop_learner_log_loss_total[$__rate_interval])) / sum by (objective) (rate(clickloop_learner_judged_weight_total[$__rate_interval]))", "{{objective}}"),
			one("Examples behind", "short", "", "clickloop_learner_behind_examples", "{{objective}}"),
			one("Age of the newest learned example", "s", "When it was learned.", "clickloop_learner_behind_seconds", "{{objective}}"),
			one("Pauses", "s", "p99 by cause.", q99("clickloop_learner_pause_seconds", "cause"), "{{cause}}"),
			one("Published bytes", "Bps", "", rate("clickloop_learner_published_bytes_total", "objective, kind"), "{{objective}} {{kind}}"),
			one("Tokens in the table", "short", "", "clickloop_learner_table_tokens", "{{objective}}"),
			one("Age of the published weights", "s", "", "time() - clickloop_learner_version_timestamp_seconds", "{{objective}}"),
			one("Checkpoints that failed", "short", "", "sum by (objective) (increase(clickloop_learner_checkpoint_failures_total[$__rate_interval]))", "{{objective}}"),
		}},
	}},
	{"clickloop-bidding", "clickloop: bidding", "Bid requests, money and notices.", []row{
		{"Bid requests", []panel{
			one("Requests", "reqps", "By result.", rate("clickloop_bidder_requests_total", "result"), "{{result}}"),
			one("No bid", "reqps", "By reason.", `sum by (reason) (rate(clickloop_bidder_requests_total{result="no_bid"}[$__rate_interval])) > 0`, "{{reason}}"),
			{"Latency", "s", "", []string{q50("clickloop_bidder_request_seconds", ""), "p50", q99("clickloop_bidder_request_seconds", ""), "p99"}},
			one("Bid rate", "percentunit", "", `sum(rate(clickloop_bidder_requests_total{result="bid"}[$__rate_interval])) / sum(rate(clickloop_bidder_requests_total[$__rate_interval]))`, "bids"),
			one("Win rate", "percentunit", "Wins that were told, of bids.", `sum(rate(clickloop_bidder_notices_total{notice="win",result=~"taken|late"}[$__rate_interval])) / sum(rate(clickloop_bidder_requests_total{result="bid"}[$__rate_interval]))`, "wins"),
			one("Price of bids", "none", "CPM in the account's currency, median.", q50("clickloop_bidder_price_cpm", ""), "p50"),
		}},
		{"Money", []panel{
			one("Spend an hour", "none", "In the account's currency.", "3600 * (sum(rate(clickloop_bidder_ledger_charged_money_total[$__rate_interval])) - sum(rate(clickloop_bidder_ledger_credited_money_total[$__rate_interval])))", "spend"),
			{"Reserved", "none", "", []string{"max(clickloop_bidder_ledger_reserved_money)", "reserved", "sum(clickloop_bidder_ledger_unlogged_money)", "not on the topic yet"}},
			one("Owed beyond a budget", "none", "In an hour.", "sum(increase(clickloop_bidder_ledger_uncovered_money_total[1h]))", "owed"),
			one("Verdicts of the ledger", "cps", "", rate("clickloop_bidder_ledger_claims_total", "verdict"), "{{verdict}}"),
			one("Open reservations", "short", "", "max(clickloop_bidder_ledger_open_reservations)", "open"),
			one("Ledger ready", "bool", "", "min by (instance) (clickloop_bidder_ledger_ready)", "{{instance}}"),
		}},
		{"Notices", []panel{
			one("Notices", "cps", "", rate("clickloop_bidder_notices_total", "notice, result"), "{{notice}} {{result}}"),
			one("Prices of notices", "cps", "", rate("clickloop_bidder_notice_prices_total", "result"), "{{result}}"),
		}},
	}},
	{"clickloop-services", "clickloop: Kafka and Redis", "Latency and failures of the services, as each process sees them.", []row{
		{"Kafka", []panel{
			one("Latency", "s", "p99. Fetches wait for records, and are left out.", q99("clickloop_kafka_request_seconds", "request"), "{{request}}"),
			one("Failures", "cps", "Each is repeated.", rate("clickloop_kafka_failures_total", "instance, request"), "{{instance}} {{request}}"),
			one("Records read", "cps", "", rate("clickloop_kafka_read_records_total", "consumer"), "{{consumer}}"),
			one("Lag by partition", "short", "", "max by (consumer, topic, partition) (clickloop_kafka_lag_records)", "{{consumer}} {{topic}}/{{partition}}"),
		}},
		{"Redis", []panel{
			one("Latency", "s", "p99 by who asks.", q99("clickloop_redis_request_seconds", "client"), "{{client}}"),
			one("Round trips", "cps", "", rate("clickloop_redis_request_seconds_count", "client"), "{{client}}"),
			one("Failures", "cps", "", rate("clickloop_redis_failures_total", "instance, client"), "{{instance}} {{client}}"),
			one("Keys", "short", "Falls when Redis is emptied.", "max(clickloop_redis_keys)", "keys"),
			{"Memory", "bytes", "Max 0: no limit.", []string{"max(clickloop_redis_used_bytes)", "used", "max(clickloop_redis_max_bytes)", "max"}},
			one("Evicted keys", "cps", "Profiles that are lost.", rate("clickloop_redis_evicted_keys_total", ""), "evicted"),
		}},
		{"Stores", []panel{
			{"Folded again", "short", "Times in five minutes: the store was emptied or restored.", []string{"sum(increase(clickloop_ingest_rewinds_total[5m]))", "profiles", "sum(increase(clickloop_feedback_rewinds_total[5m]))", "outcomes"}},
		}},
	}},
}

type object = map[string]any

// encode is the dashboard in Grafana's form.
func (b *board) encode(t *testing.T) []byte {
	t.Helper()
	source := object{"type": "prometheus", "uid": "${datasource}"}
	panels, y, id := []object{}, 0, 0
	const width, height, across = 8, 7, 24
	for _, r := range b.rows {
		id++
		panels = append(panels, object{"id": id, "type": "row", "title": r.title, "collapsed": false, "panels": []object{}, "gridPos": object{"x": 0, "y": y, "w": across, "h": 1}})
		y++
		for i, p := range r.panels {
			id++
			x := i * width % across
			if i > 0 && x == 0 {
				y += height
			}
			targets := []object{}
			for j := 0; j < len(p.queries); j += 2 {
				targets = append(targets, object{"refId": string(rune('A' + j/2)), "datasource": source, "expr": p.queries[j], "legendFormat": p.queries[j+1]})
			}
			panels = append(panels, object{
				"id": id, "type": "timeseries", "title": p.title, "description": p.about, "datasource": source, "targets": targets,
				"gridPos":     object{"x": x, "y": y, "w": width, "h": height},
				"fieldConfig": object{"defaults": object{"unit": p.unit, "min": 0, "custom": object{"showPoints": "auto", "fillOpacity": 10}}, "overrides": []object{}},
				"options":     object{"legend": object{"displayMode": "list", "placement": "bottom"}, "tooltip": object{"mode": "multi", "sort": "desc"}},
			})
		}
		y += height
	}
	variables := []object{
		{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
		{"name": "objective", "type": "query", "label": "Objective", "datasource": source, "query": "label_values(clickloop_feedback_examples_total, objective)", "refresh": 2, "includeAll": true, "multi": true, "allValue": ".+", "current": object{"text": "All", "value": "$__all"}},
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(object{
		"uid": b.file, "title": b.title, "description": b.about, "tags": []string{"clickloop"}, "schemaVersion": 39, "editable": true, "graphTooltip": 1, "refresh": "10s",
		"time": object{"from": "now-1h", "to": "now"}, "templating": object{"list": variables}, "annotations": object{"list": []object{}}, "panels": panels,
	}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestReferenceDashboardsAreWrittenFromTheTable(t *testing.T) {
	var files []string
	for i := range boards {
		b := &boards[i]
		file := filepath.Join("deploy/grafana/dashboards", b.file+".json")
		files = append(files, file)
		want := b.encode(t)
		if is, _ := os.ReadFile(file); bytes.Equal(is, want) {
			continue
		}
		if !*update {
			t.Errorf("%s: the table has changed; run make docs", file)
			continue
		}
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found, err := filepath.Glob("deploy/grafana/dashboards/*")
	if err != nil || !slices.Equal(slices.Sorted(slices.Values(files)), found) {
		t.Errorf("deploy/grafana/dashboards has %v, want %v (%v)", found, files, err)
	}
}
