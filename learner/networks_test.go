package learner

import (
	"log/slog"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// plainModel is another network than smallModel.
func plainModel() model.Config {
	c := smallModel()
	c.Network, c.TableBits, c.Seed = []string{"linear"}, 8, 5
	return c
}

// networks makes a learner have the default network of click and others.
func networks(serve string, names ...string) func(*Config, *Deps) {
	return func(_ *Config, d *Deps) {
		d.Objectives[0].Networks, d.Objectives[0].Serve = names, serve
		d.Networks = map[string]model.Config{"plain": plainModel()}
	}
}

// awaitNetwork polls until a network has learned and published n examples.
func (r *running) awaitNetwork(name string, n int64) state {
	r.t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for {
		code, s := r.call(http.MethodGet, "/v1/learner?objective=click&network="+name)
		if code == http.StatusOK && s.Examples >= n && s.Published == s.Examples {
			return s
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("network %s is at %d %+v, want %d examples", name, code, s, n)
		}
		time.Sleep(time.Millisecond)
	}
}

// plainStraight is the hash of a plain network after n examples, and its progressive log loss.
func plainStraight(t *testing.T, n int64) (string, float64) {
	t.Helper()
	net, err := model.New(plainModel())
	if err != nil {
		t.Fatal(err)
	}
	c := &core{net: net, resumed: -1}
	take(c, recordsOf(1, 0, n))
	return WeightsHash(net), c.judged.LogLoss
}

func TestNetworksComeAndGoAndLeaveTheOthersAsTheyAre(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	for _, o := range event.Topics([]event.Objective{{Name: "click", Networks: []string{"default", "plain"}, Window: time.Minute}}, 2) {
		if err := f.client.EnsureTopics(ctx, stream.Topic{Name: o.Name, Partitions: o.Partitions, Retention: o.Retention}); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	f.produce(recordsOf(1, 0, 100))
	alone := f.run(dir, nil)
	first := alone.await(100)
	alone.stop()

	// Another network comes: it learns from the start of the topic, the first goes on.
	f.produce(recordsOf(1, 100, 200))
	registry := prometheus.NewRegistry()
	both := f.run(dir, func(c *Config, d *Deps) {
		networks("", "default", "plain")(c, d)
		d.Registerer = registry
	})
	a, b := both.awaitNetwork("default", 200), both.awaitNetwork("plain", 200)
	wantPlain, loss := plainStraight(t, 200)
	if a.Weights != straight(t, 200) || a.Model != "click@200" || a.Checkpoint != 100 || a.Judged.Examples != 100 || a.Epoch <= first.Epoch {
		t.Errorf("the first network is at %+v, want weights %s, resumed at 100", a, straight(t, 200))
	}
	if b.Weights != wantPlain || b.Model != "click.plain@200" || b.Network != "plain" || b.Judged.Examples != 200 || math.Abs(b.Judged.LogLoss-loss) > 1e-12 {
		t.Errorf("the other network is at %+v, want weights %s and log loss %v", b, wantPlain, loss)
	}
	if code, _ := both.call(http.MethodGet, "/v1/learner?objective=click&network=other"); code != http.StatusNotFound {
		t.Errorf("a network that is not: %d", code)
	}
	if got := lossMetric(t, registry, "click.plain"); math.Abs(got-200*loss) > 1e-9 {
		t.Errorf("the metric of its losses is %v, want %v", got, 200*loss)
	}
	both.stop()

	// It goes, the first goes on; it comes again and goes on where it was.
	f.produce(recordsOf(1, 200, 300))
	alone = f.run(dir, nil)
	if s := alone.await(300); s.Weights != straight(t, 300) || s.Checkpoint != 200 {
		t.Errorf("without the other: %+v, want weights %s, resumed at 200", s, straight(t, 300))
	}
	alone.stop()
	both = f.run(dir, networks("", "default", "plain"))
	want, _ := plainStraight(t, 300)
	if s := both.awaitNetwork("plain", 300); s.Weights != want || s.Checkpoint != 200 || s.Epoch <= b.Epoch {
		t.Errorf("come again: %+v, want weights %s, resumed at 200", s, want)
	}
	both.awaitNetwork("default", 300)
	both.stop()
	for _, key := range []string{"click", "click.plain"} {
		if records := f.read(event.TopicModel(key)); len(records) == 0 || string(records[0].Key) != key {
			t.Errorf("%d records of %s", len(records), key)
		}
	}
	if replica, epochs := follow(t, f.read(event.TopicModel("click"))); replica.Examples() != 300 || len(epochs) != 4 {
		t.Errorf("the first network's topic leads to version %d with epochs %v", replica.Examples(), epochs)
	}
}

// lossMetric is the counter of a network's losses.
func lossMetric(t *testing.T, registry *prometheus.Registry, key string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "clickloop_learner_log_loss_total" && m.GetLabel()[0].GetValue() == key {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("there is no metric of losses of %s", key)
	return 0
}

func TestANetworkThatIsNotDescribedIsRefused(t *testing.T) {
	f := func(change func(*Config, *Deps)) {
		t.Helper()
		cfg, d := DefaultConfig(), Deps{Objectives: objectives("click"), Model: smallModel(), Now: func() event.Time { return 0 }, Logger: slog.New(slog.DiscardHandler)}
		change(&cfg, &d)
		if _, err := New(cfg, d); err == nil {
			t.Errorf("%+v was taken", d.Objectives)
		}
	}
	f(networks("", "default", "other"))
	f(func(_ *Config, d *Deps) {
		networks("", "plain")(nil, d)
		d.Networks["plain"] = model.Config{}
	})
	f(func(c *Config, _ *Deps) { c.Warm = map[string]string{"click.plain": "x"} })
}
