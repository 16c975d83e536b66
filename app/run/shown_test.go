package run_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
)

// rankedAds is how many ads the list of the test has; the first is the best.
const rankedAds = 10

// list writes a recording of ads on five positions. The policy that placed them put the worst in
// front most of the time, and clicks decay with the position.
func list(t *testing.T, more, config string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	chance := rand.New(rand.NewPCG(7, 7))
	var rows strings.Builder
	rows.WriteString("ad,position,clicked\n")
	for range 12_000 {
		ad := chance.IntN(rankedAds)
		position := 1 + chance.IntN(5)
		if chance.IntN(5) > 1 {
			position = min(max(5-ad/2+chance.IntN(3)-1, 1), 5)
		}
		quality := 0.8 - 0.075*float64(ad)
		fmt.Fprintf(&rows, "ad%d,%d,%v\n", ad, position, chance.Float64() < quality/float64(position))
	}
	for name, text := range map[string]string{
		"rows.csv": rows.String(), "clickloop.yaml": config,
		"recording.yaml": "name: list\nfiles: [rows.csv]\nformat: csv\nlabel: clicked\npositive: \"true\"\nad: column:ad\n" + more +
			"\nevery: 100ms\nobjective: {name: click, trigger: impression, window: 10s}\nevents: [{type: impression, when: always, delay: 1s}, {type: click, when: positive, delay: 2s}]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// served plays a recording through all stages, and returns the order in which the scorer then ranks
// the ads, from 0.
func served(t *testing.T, dir string) (order []int) {
	t.Helper()
	rec := open(t, dir)
	cfg, err := config.LoadBeside(rec.ConfigFile(), config.Recorded{Name: rec.Name(), Objective: rec.Objective(), Shown: rec.Shown()})
	if err != nil {
		t.Fatal(err)
	}
	rec.Adopt(cfg.Objective("click"))
	l := start(t, func(c *config.Config) {
		cfg.HTTP, cfg.Admin, cfg.Data, cfg.Clock = c.HTTP, c.Admin, c.Data, config.ClockRecorded
		*c = cfg
	})
	s, err := l.Play(t.Context(), run.PlayOptions{Recording: rec})
	if err != nil || s.Examples != 12_000 {
		t.Fatalf("%v: %+v", err, s)
	}
	var candidates []string
	for ad := range rankedAds {
		candidates = append(candidates, fmt.Sprintf(`{"ad":"ad%d"}`, ad))
	}
	resp, err := http.Post("http://"+l.HTTP+"/v1/score", "application/json", strings.NewReader(`{"choose":0,"candidates":[`+strings.Join(candidates, ",")+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Predictions []struct {
			Ad string
			P  map[string]float64
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Predictions) != rankedAds {
		t.Fatalf("%v: %+v", err, answer)
	}
	slices.SortStableFunc(answer.Predictions, func(a, b struct {
		Ad string
		P  map[string]float64
	}) int {
		return cmp.Compare(b.P["click"], a.P["click"])
	})
	for _, p := range answer.Predictions {
		ad := 0
		fmt.Sscanf(p.Ad, "ad%d", &ad)
		order = append(order, ad)
	}
	return order
}

// correlation is Spearman's of an order with the truth.
func correlation(order []int) float64 {
	sum, n := 0, len(order)
	for rank, ad := range order {
		sum += (rank - ad) * (rank - ad)
	}
	return 1 - 6*float64(sum)/float64(n*(n*n-1))
}

// The whole loop learns ads apart from their positions: requests, predictions, impressions that
// bring the position, examples, weights, and the order that the scorer answers then.
func TestTheLoopRanksAdsByWhatTheyAreWorthInOnePosition(t *testing.T) {
	with := correlation(served(t, list(t, "shown: [position]", "features: {context: [none], profiles: [], shown: [{name: position, serve: 1}]}\n")))
	without := correlation(served(t, list(t, "drop: [position]", "features: {context: [none], profiles: []}\n")))
	t.Logf("Spearman's correlation %.3f with the position, %.3f without", with, without)
	if with < 0.95 || without >= with {
		t.Errorf("Spearman's correlation %.3f with the position, %.3f without; want 0.95 and less", with, without)
	}
}
