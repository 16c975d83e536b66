package config

import (
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

const objective = "- {name: click, trigger: impression, positive: click, window: 30m"

func TestAnObjectivesNetworksAreReadOverTheDefaults(t *testing.T) {
	c, err := Parse("f.yaml", []byte("model: {table_bits: 12}\nnetworks:\n  plain: {network: [linear], seed: 7}\nobjectives:\n  "+objective+", networks: [default, plain], serve: plain}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := model.DefaultConfig()
	want.Network, want.Seed = []string{"linear"}, 7
	if got := c.Networks["plain"]; got.TableBits != want.TableBits || got.Seed != 7 || len(got.Network) != 1 || got.MaxFields != want.MaxFields || c.Model.TableBits != 12 {
		t.Errorf("plain is %+v, want %+v", got, want)
	}
	if o := c.Objectives[0]; o.Served() != "click.plain" || len(o.NetworkNames()) != 2 {
		t.Errorf("objective %+v serves %s", o, o.Served())
	}
	topics := ""
	for _, topic := range event.Topics(c.Objectives, 2) {
		topics += topic.Name + " "
	}
	if !strings.HasSuffix(topics, "examples.click model.click model.click.plain ") {
		t.Errorf("topics are %s", topics)
	}
}

func TestWrongNetworksAreRefusedWithTheirPlace(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := Parse("f.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	one := "objectives:\n  " + objective
	f(one+", networks: [plain]}", "f.yaml:2: objectives[0].networks[0] is \"plain\", want default or a name")
	f(one+", networks: [default, default]}", "networks[1] is \"default\", which stands before it")
	f(one+", serve: plain}", "objectives[0].serve is \"plain\", want one of its networks: default")
	f("networks:\n  default: {seed: 2}", "networks.default is the network that the section model describes")
	f("networks:\n  a.b: {seed: 2}", "want 1 to 64 letters")
	f("networks:\n  plain: {table_bits: 99}", "f.yaml:2: networks.plain.table_bits is 99, want 4 to 28")
	f("networks:\n  plain: {tablebits: 9}", "unknown field \"tablebits\"")
}

// A plain network cannot tell how uncertain it is, which the policy thompson must know.
func TestThompsonNeedsANetworkThatIsUncertain(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := Parse("f.yaml", []byte(text)); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	served := "networks:\n  plain: {network: [linear, ffm]}\nobjectives:\n  " + objective + ", networks: [default, plain], serve: "
	f("scorer: {policy: thompson}\n"+served+"default}", "")
	f("scorer: {policy: 'softmax:0.1'}\n"+served+"plain}", "")
	f("scorer: {policy: 'thompson:0.5'}\n"+served+"plain}", "f.yaml:1: scorer.policy is thompson:0.5, but objective click serves the network plain of linear, ffm")
	f("scorer: {policy: thompson}\nmodel: {network: [mlp]}\n", "serves the network default of mlp")
	f("scorer: {policy: thompson, epsilon: 0.1}\n", "scorer.epsilon is 0.1, and policy is thompson: leave one of them out")
	f("scorer: {policy: softmax}\n", "scorer.policy is \"softmax\", want the temperature")
}
