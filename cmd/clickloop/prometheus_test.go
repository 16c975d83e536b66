package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/run"
)

// monitored is a loop of one process a stage on a Kafka and a Redis of its own, and a Prometheus
// that scrapes all of them.
type monitored struct {
	t          *testing.T
	ctx        context.Context
	dir        string // of the services
	redis      string
	stages     map[string]*stageProcess
	tools      string // folder of prometheus and promtool
	prometheus string // host:port
	log        bytes.Buffer
}

const monitoredConfig = `objectives: [{name: click, trigger: impression, positive: click, window: 2s}]
model: {prior: 0.3}
learner: {checkpoint_every: 2s}
feedback: {guard: {min_examples: 50}}
bidding: {campaigns: %q, public_url: "https://bid.example", sign_key: %q}
`

// TestPrometheusSeesTheLoop scrapes all stages with a real Prometheus: the metrics are in order,
// every query of the dashboards finds data, and alerts fire for real when clicks are lost, Redis is
// emptied and processes are killed, and not before. Only times are cut: those that alerts wait, and
// the hour over which positives are summed.
func TestPrometheusSeesTheLoop(t *testing.T) {
	tools := os.Getenv("CLICKLOOP_TEST_PROMETHEUS")
	if tools == "" {
		t.Skip("CLICKLOOP_TEST_PROMETHEUS is not set: scripts/prometheus.sh tells the folder")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	m := &monitored{t: t, ctx: ctx, dir: filepath.Join(t.TempDir(), "services"), tools: tools, stages: map[string]*stageProcess{}}
	m.startStages()
	m.startPrometheus()
	m.await("all stages are ready", `sum(clickloop_ready) == 5`)
	m.silent()
	m.checkMetrics()

	v := &visitors{m: m, client: &http.Client{Timeout: 5 * time.Second}}
	v.until("clicks are learned", func() bool {
		return len(m.query(`increase(clickloop_feedback_predicted_positives_total[10s]) > 10 and increase(clickloop_feedback_actual_positives_total[10s]) > 10`)) > 0
	})
	m.stages["learner"].kill() // else it learns within seconds that nobody clicks
	v.lost = true
	v.until("the learner is killed and clicks are lost", func() bool {
		return m.fired("ClickloopDown") && m.fired("ClickloopNoPositives") && m.fired("ClickloopGuardAlarm")
	})
	m.stages["learner"].start(t)
	v.lost = false
	v.until("all is well again", func() bool { return !m.fires("ClickloopNoPositives") && !m.fires("ClickloopDown") })
	var missing []string
	v.until("every query of the dashboards finds data", func() bool { missing = m.withoutData(); return len(missing) == 0 })
	if len(missing) > 0 {
		t.Errorf("these find nothing:\n%s", strings.Join(missing, "\n"))
	}

	m.flush()
	v.until("Redis is emptied", func() bool { return m.fired("ClickloopProfilesLost") && m.fired("ClickloopOutcomesLost") })
	m.services("kill", "kafka")
	m.until("Kafka is killed", func() bool { return m.fires("ClickloopKafkaFailing") && m.fires("ClickloopLabelsStalled") })
	if warned := regexp.MustCompile(`(?mi)^.*level="?(warn|error).*$`).FindAllString(m.log.String(), 5); warned != nil {
		t.Errorf("Prometheus warns:\n%s", strings.Join(warned, "\n"))
	}
}

func (m *monitored) services(command string, which ...string) string {
	m.t.Helper()
	out, err := exec.Command("../../scripts/services.sh", append([]string{command, m.dir}, which...)...).Output()
	if err != nil {
		m.t.Fatalf("services.sh %s %v: %v", command, which, err)
	}
	return string(out)
}

func (m *monitored) startStages() {
	m.t.Helper()
	out := m.services("start")
	m.t.Cleanup(func() { m.services("stop") })
	address := func(name string) string {
		return regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindStringSubmatch(out)[1]
	}
	m.redis = address("REDIS")
	dir := m.t.TempDir()
	campaigns, err := filepath.Abs("../../app/run/testdata/campaigns.yaml")
	if err != nil {
		m.t.Fatal(err)
	}
	key, config := filepath.Join(dir, "sign.key"), filepath.Join(dir, "clickloop.yaml")
	write(m.t, key, strings.Repeat("0123456789abcdef", 4)+"\n")
	write(m.t, config, fmt.Sprintf(monitoredConfig, campaigns, key))
	for _, name := range append(slices.Clone(run.Stages), run.Bidder) {
		p := &stageProcess{name: name, address: freeAddress(m.t), admin: freeAddress(m.t)}
		p.args = []string{"--config", config, "--kafka", address("KAFKA"), "--redis", m.redis, "--http", p.address, "--admin", p.admin, "--data", m.t.TempDir()}
		p.start(m.t)
		m.t.Cleanup(p.kill)
		m.stages[name] = p
	}
	m.t.Cleanup(func() {
		if m.t.Failed() {
			for _, p := range m.stages {
				m.t.Logf("%s: %.2000s", p.name, p.stderr.String())
			}
		}
	})
	for _, p := range m.stages {
		awaitAnswer(m.ctx, m.t, p.address)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startPrometheus starts a server with the rules of deploy, whose alerts wait for nothing.
func (m *monitored) startPrometheus() {
	m.t.Helper()
	dir := m.t.TempDir()
	rules := string(readFile(m.t, "../../deploy/prometheus/clickloop.rules.yml"))
	rules = regexp.MustCompile(`(?m)^ +for: .*\n`).ReplaceAllString(rules, "")
	rules = strings.Replace(rules, "== 0) > 120", "== 0) > 15", 1) // of ClickloopLabelsStalled
	rules = strings.ReplaceAll(rules, "_positives_total[1h]", "_positives_total[10s]")
	write(m.t, filepath.Join(dir, "rules.yml"), rules)
	var targets []string
	for _, p := range m.stages {
		targets = append(targets, p.admin)
	}
	config := filepath.Join(dir, "prometheus.yml")
	write(m.t, config, fmt.Sprintf(`global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: clickloop
    static_configs: [{targets: [%s]}]
`, `"`+strings.Join(targets, `", "`)+`"`))
	m.tool(nil, "check", "config", config)
	m.prometheus = freeAddress(m.t)
	cmd := exec.CommandContext(m.ctx, filepath.Join(m.tools, "prometheus"), "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+m.prometheus)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Stdout, cmd.Stderr = &m.log, &m.log
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	awaitAnswer(m.ctx, m.t, m.prometheus)
}

// tool runs promtool, which must find nothing to say.
func (m *monitored) tool(stdin io.Reader, args ...string) {
	m.t.Helper()
	cmd := exec.CommandContext(m.ctx, filepath.Join(m.tools, "promtool"), args...)
	cmd.Stdin = stdin
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

// checkMetrics gives what each process tells to promtool.
func (m *monitored) checkMetrics() {
	m.t.Helper()
	for _, p := range m.stages {
		resp, err := http.Get("http://" + p.admin + "/metrics")
		if err != nil {
			m.t.Fatal(err)
		}
		m.tool(resp.Body, "check", "metrics")
		_ = resp.Body.Close()
	}
}

// query returns the values of a query, by series; NaN is no value.
func (m *monitored) query(expr string) map[string]string {
	m.t.Helper()
	values := map[string]string{}
	resp, err := http.Get("http://" + m.prometheus + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return values // it starts
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusServiceUnavailable {
		return values // likewise
	}
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Status == "error" {
		m.t.Fatalf("%s: %v %s", expr, err, answer.Error)
	}
	for _, r := range answer.Data.Result {
		if v := fmt.Sprint(r.Value[1]); v != "NaN" {
			values[fmt.Sprint(r.Metric)] = v
		}
	}
	return values
}

// fired tells whether an alert has fired in the last minutes.
func (m *monitored) fired(alert string) bool {
	return len(m.query(`max_over_time(ALERTS{alertstate="firing",alertname="`+alert+`"}[5m])`)) > 0
}

func (m *monitored) fires(alert string) bool {
	return len(m.query(`ALERTS{alertstate="firing",alertname="`+alert+`"}`)) > 0
}

// until waits until ok.
func (m *monitored) until(what string, ok func() bool) {
	m.t.Helper()
	began := time.Now()
	for !ok() {
		if m.ctx.Err() != nil {
			m.t.Fatalf("%s: not so after %v; firing: %v", what, time.Since(began).Round(time.Second), m.query(`ALERTS{alertstate="firing"}`))
		}
		select {
		case <-m.ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	m.t.Logf("%s: after %v", what, time.Since(began).Round(100*time.Millisecond))
}

func (m *monitored) await(what, expr string) {
	m.t.Helper()
	m.until(what, func() bool { return len(m.query(expr)) > 0 })
}

// silent fails when an alert fires on an idle system that has just become ready.
func (m *monitored) silent() {
	m.t.Helper()
	m.await("alerts are asked for while all is idle", `min(clickloop_ready) == 1 and min(count_over_time(clickloop_ready[1m])) > 8`)
	if firing := m.query(`ALERTS{alertstate="firing"}`); len(firing) > 0 {
		m.t.Errorf("alerts fire on an idle system: %v", firing)
	}
}

// withoutData returns the queries of the dashboards that find nothing.
func (m *monitored) withoutData() (missing []string) {
	m.t.Helper()
	files, err := filepath.Glob("../../deploy/grafana/dashboards/*.json")
	if err != nil || len(files) == 0 {
		m.t.Fatalf("%d dashboards are found: %v", len(files), err)
	}
	variables := strings.NewReplacer("$__rate_interval", "1m", "$objective", ".+")
	for _, file := range files {
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(readFile(m.t, file), &board); err != nil {
			m.t.Fatalf("%s: %v", file, err)
		}
		for _, p := range board.Panels {
			for _, target := range p.Targets {
				if len(m.query(variables.Replace(target.Expr))) == 0 {
					missing = append(missing, filepath.Base(file)+", "+p.Title+": "+target.Expr)
				}
			}
		}
	}
	return missing
}

// flush empties Redis.
func (m *monitored) flush() {
	m.t.Helper()
	conn, err := net.Dial("tcp", m.redis)
	if err != nil {
		m.t.Fatal(err)
	}
	defer conn.Close()
	answer := make([]byte, 3)
	if _, err = io.WriteString(conn, "FLUSHALL\r\n"); err == nil {
		_, err = io.ReadFull(conn, answer)
	}
	if err != nil || string(answer) != "+OK" {
		m.t.Fatalf("FLUSHALL: %q, %v", answer, err)
	}
}

// visitors see ads, and click on some of them.
type visitors struct {
	m      *monitored
	client *http.Client
	lost   bool // clicks do not arrive
	n      int
}

// until sends visitors until ok, which it asks twice a second.
func (v *visitors) until(what string, ok func() bool) {
	v.m.t.Helper()
	asked := time.Now()
	is := false
	v.m.until(what, func() bool {
		for range 10 {
			v.visit()
		}
		if time.Since(asked) > 500*time.Millisecond {
			is, asked = ok(), time.Now()
		}
		return is
	})
}

// visit is one visitor: a score with its events, and an auction with its notices.
func (v *visitors) visit() {
	v.n++
	user := fmt.Sprintf("u%d", v.n%200)
	request := fmt.Sprintf(`{"request":"r%d","user":%q,"candidates":[{"ad":"a%d"},{"ad":"b"}]}`, v.n, user, v.n%7)
	var scored struct {
		Predictions []struct{ Prediction, Ad string }
	}
	v.post("scorer", "/v1/score", request, &scored)
	if len(scored.Predictions) == 0 {
		return
	}
	p := scored.Predictions[0]
	seen := fmt.Sprintf(`{"type":"impression","user":%q,"prediction":%q,"ad":%q}`, user, p.Prediction, p.Ad)
	if !v.lost && v.n%2 == 0 {
		seen += "\n" + strings.Replace(seen, "impression", "click", 1)
	}
	v.post("ingest", "/v1/events", seen, nil)
	size := []string{`{"w":300,"h":250}`, `{"w":11,"h":11}`}[min(v.n%5, 1)^1]
	var bids struct {
		SeatBid []struct {
			Bid []struct{ Nurl, Burl string }
		}
	}
	v.post("bidder", "/openrtb2/bid", fmt.Sprintf(`{"id":"q%d","imp":[{"id":"1","secure":1,"banner":{"format":[%s]}}],"site":{"page":"https://news.example/"},"user":{"id":%q},"device":{"ua":"Mozilla/5.0","ip":"198.51.100.7"}}`, v.n, size, user), &bids)
	for _, s := range bids.SeatBid {
		for _, b := range s.Bid {
			for _, notice := range []string{b.Nurl, b.Burl} {
				v.get(strings.NewReplacer("https://bid.example", "http://"+v.m.stages["bidder"].address, "${AUCTION_PRICE}", "1.5").Replace(notice))
			}
		}
	}
}

func (v *visitors) post(stage, path, body string, into any) {
	resp, err := v.client.Post("http://"+v.m.stages[stage].address+path, "application/json", strings.NewReader(body))
	if err != nil {
		return // a service is away
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err == nil && into != nil {
		_ = json.Unmarshal(text, into) // no answer is no bid
	}
}

func (v *visitors) get(address string) {
	if address == "" {
		return
	}
	if resp, err := v.client.Get(address); err == nil {
		_ = resp.Body.Close()
	}
}
