package clickloop

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"
)

// alertRule is an alert of deploy/prometheus.
type alertRule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

const rulesFile = "deploy/prometheus/clickloop.rules.yml"

func alertRules(t *testing.T) (all []alertRule) {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string      `yaml:"name"`
			Rules []alertRule `yaml:"rules"`
		} `yaml:"groups"`
	}
	readYAML(t, rulesFile, &file)
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 20 {
		t.Fatalf("%s has %d alerts", rulesFile, len(all))
	}
	return all
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// Each alert has its words, a heading of the runbook, and a test that makes it fire.
func TestEachAlertHasItsRunbook(t *testing.T) {
	runbook, err := os.ReadFile("docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("deploy/prometheus/clickloop.test.yml")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range alertRules(t) {
		names = append(names, r.Alert)
		_, part, found := strings.Cut(string(runbook), "\n### "+r.Alert+"\n")
		part, _, _ = strings.Cut(part, "\n### ")
		for _, label := range []string{"What it means", "How to look", "How to mend it", "How to try it"} {
			if !found || !strings.Contains(part, "- "+label+": ") {
				t.Errorf("docs/runbook.md does not say of %s: %s", r.Alert, label)
			}
		}
		if want := "https://github.com/clickloop/clickloop/blob/main/docs/runbook.md#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s points to %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || !slices.Contains([]string{"critical", "warning"}, r.Labels["severity"]) {
			t.Errorf("%s lacks a summary, a description or a severity: %v %v", r.Alert, r.Annotations, r.Labels)
		}
		if !strings.Contains(string(tests), "alertname: "+r.Alert+"\n") {
			t.Errorf("no test makes %s fire", r.Alert)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(string(runbook), -1) {
		if !slices.Contains(names, m[1]) {
			t.Errorf("docs/runbook.md has a heading of %s, which is no alert", m[1])
		}
	}
}

// Rules and dashboards ask for metrics, and for labels of these, that the code has.
func TestQueriesAskForMetricsThatExist(t *testing.T) {
	_, rows := metrics(t, inside[*prometheus.Registry](t, running(t)))
	queries := map[string][]string{}
	for _, r := range alertRules(t) {
		queries[r.Alert] = []string{r.Expr}
	}
	for _, b := range boards {
		for _, r := range b.rows {
			for _, p := range r.panels {
				for i := 0; i < len(p.queries); i += 2 {
					queries[b.title+", "+p.title] = append(queries[b.title+", "+p.title], p.queries[i])
				}
			}
		}
	}
	form := regexp.MustCompile(`(clickloop_[a-z0-9_]+)(?:\{([^}]*)\})?`)
	for where, texts := range queries {
		for _, text := range texts {
			for _, m := range form.FindAllStringSubmatch(text, -1) {
				name := m[1]
				if rows[name] == "" {
					name = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
				}
				cells := strings.Split(rows[name], " | ")
				if len(cells) < 3 {
					t.Errorf("%s asks for %s, which is no metric", where, m[1])
					continue
				}
				labels := append(strings.Split(cells[1], ", "), "instance", "job", "le")
				for _, l := range regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)`).FindAllStringSubmatch(m[2], -1) {
					if !slices.Contains(labels, l[1]) {
						t.Errorf("%s asks for the label %s of %s, which has %v", where, l[1], name, labels)
					}
				}
			}
		}
	}
}

// compose is what a test looks at of docker-compose.yml.
type compose struct {
	Services map[string]struct {
		Build    string   `yaml:"build"`
		Image    string   `yaml:"image"`
		Profiles []string `yaml:"profiles"`
		Ports    []string `yaml:"ports"`
		Volumes  []string `yaml:"volumes"`
		Secrets  []string `yaml:"secrets"`
	} `yaml:"services"`
	Volumes map[string]any `yaml:"volumes"`
	Secrets map[string]any `yaml:"secrets"`
}

// What docker-compose.yml mounts is there, images are pinned, and nothing is published to others.
func TestTheComposeFileHoldsTogether(t *testing.T) {
	var c compose
	readYAML(t, "docker-compose.yml", &c)
	for _, name := range []string{"kafka", "redis", "ingest", "scorer", "feedback", "learner", "prometheus", "grafana"} {
		s, ok := c.Services[name]
		if !ok {
			t.Errorf("there is no service %s", name)
		}
		if tag := regexp.MustCompile(`:v?\d`); s.Build == "" && !tag.MatchString(s.Image) {
			t.Errorf("%s has the image %q, which no version pins", name, s.Image)
		}
		if monitors := name == "prometheus" || name == "grafana"; monitors != slices.Contains(s.Profiles, "monitoring") {
			t.Errorf("%s is in the profiles %v", name, s.Profiles)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s publishes %s to others", name, p)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if _, named := c.Volumes[from]; named {
				continue
			}
			if _, err := os.Stat(from); err != nil {
				t.Errorf("%s mounts %s: %v", name, v, err)
			}
		}
		for _, secret := range s.Secrets {
			if c.Secrets[secret] == nil {
				t.Errorf("%s wants the secret %s, which is not defined", name, secret)
			}
		}
	}
	var scrape struct {
		Jobs []struct {
			Static []struct {
				Targets []string `yaml:"targets"`
			} `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "deploy/prometheus/prometheus.yml", &scrape)
	for _, target := range scrape.Jobs[0].Static[0].Targets {
		name, port, _ := strings.Cut(target, ":")
		if c.Services[name].Image != "clickloop" || port != "8081" {
			t.Errorf("Prometheus scrapes %s, which is no stage's admin port", target)
		}
	}
}

// promtool runs promtool of the folder that scripts/prometheus.sh tells.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	dir := os.Getenv("CLICKLOOP_TEST_PROMETHEUS")
	if dir == "" {
		t.Skip("CLICKLOOP_TEST_PROMETHEUS is not set: scripts/prometheus.sh tells the folder")
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "promtool"), args...)
	cmd.Dir = "deploy/prometheus"
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "FAILED") {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

func TestPromtoolAcceptsTheRules(t *testing.T) { promtool(t, "check", "rules", "clickloop.rules.yml") }

func TestPromtoolAcceptsTheConfiguration(t *testing.T) {
	promtool(t, "check", "config", "--syntax-only", "prometheus.yml")
}

func TestEachAlertFiresAndNoneWithoutAReason(t *testing.T) {
	promtool(t, "test", "rules", "clickloop.test.yml")
}
