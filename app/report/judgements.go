package report

import (
	"cmp"
	"maps"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// judgements are what the topic evaluations tells beyond what examples do: alarms of the guard, and
// comparisons of networks.
type judgements struct {
	period   *period
	v        event.Evaluation // reused
	alarms   []alarm          // the newest maxAlarms
	raised   int64
	pairs    map[pair]comparison
	losses   map[network]*blocks
	pairsOut int64 // records of pairs and blocks beyond maxPairs
	damaged  int64
}

// network is a network of an objective.
type network struct{ objective, name string }

// blocks add up what a network's learner wrote of its blocks of examples.
type blocks struct {
	to           int64 // offset up to which they are counted: a learner that resumes repeats some
	examples     int64 // of the period
	weight, loss float64
}

// Bounds of what is kept.
const (
	maxAlarms = 50
	maxPairs  = 200
)

// alarm is a band that was left.
type alarm struct {
	start, end event.Time
	objective  string
	window     string
	text       string
}

// pair is two networks of an objective.
type pair struct{ objective, network, versus string }

// comparison is the newest judgement on a pair.
type comparison struct {
	end        event.Time
	examples   int64
	difference figure
	better     string
}

// The windows of evaluations that are told.
const (
	windowGuard    = "guard"
	windowNetworks = "networks"
	windowBlock    = "block"
	windowMinute   = "1m"
)

func newJudgements(p *period) *judgements {
	return &judgements{period: p, pairs: map[pair]comparison{}, losses: map[network]*blocks{}}
}

// add takes an evaluation whose end lies in the period.
func (j *judgements) add(r *stream.Record) (event.Time, error) {
	v := &j.v
	if v.UnmarshalJSON(r.Value) != nil {
		j.damaged++
		return 0, nil
	}
	at := cmp.Or(v.End, v.Start)
	if v.Window == windowBlock {
		j.block(v, at)
	}
	if j.period.side(at) <= before {
		return at, nil
	}
	switch {
	case v.Window == windowNetworks:
		j.compare(v)
	case v.Alarm != "" && (v.Window == windowGuard || v.Window == windowMinute):
		j.raised++
		j.alarms = append(j.alarms, alarm{v.Start, v.End, v.Objective, v.Window, v.Alarm})
		if len(j.alarms) >= 2*maxAlarms {
			j.alarms = j.alarms[:copy(j.alarms, j.alarms[len(j.alarms)-maxAlarms:])]
		}
	}
	return at, nil
}

// block counts a block of a network once. Blocks outside of the period only move its offset.
func (j *judgements) block(v *event.Evaluation, at event.Time) {
	n := network{v.Objective, v.Network}
	b := j.losses[n]
	if b == nil {
		if len(j.losses) >= maxPairs {
			j.pairsOut++
			return
		}
		b = &blocks{}
		j.losses[n] = b
	}
	if v.Offsets == nil || v.Offsets[0] < b.to || v.Weight == nil || v.LogLossSum == nil {
		return
	}
	b.to = v.Offsets[1]
	if j.period.side(at) > before {
		b.examples += v.Examples
		b.weight += *v.Weight
		b.loss += *v.LogLossSum
	}
}

func (j *judgements) compare(v *event.Evaluation) {
	p := pair{v.Objective, v.Network, v.Versus}
	known, there := j.pairs[p]
	if !there && len(j.pairs) >= maxPairs {
		j.pairsOut++
		return
	}
	if !there || v.End >= known.end {
		j.pairs[p] = comparison{v.End, v.Examples, figureOf(v.Difference, v.DifferenceInterval), v.Better}
	}
}

// shown are the newest alarms, the newest first.
func (j *judgements) shown() []alarm {
	newest := slices.Clone(j.alarms[max(len(j.alarms)-maxAlarms, 0):])
	slices.Reverse(newest)
	return newest
}

// sorted are the pairs that were compared.
func (j *judgements) sorted() []pair {
	return slices.SortedFunc(maps.Keys(j.pairs), func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.objective, b.objective), cmp.Compare(a.network, b.network), cmp.Compare(a.versus, b.versus))
	})
}

// verdict names the better network of a pair.
func (c comparison) verdict(p pair) string {
	switch c.better {
	case "network":
		return networkName(p.network) + " is better"
	case "versus":
		return networkName(p.versus) + " is better"
	}
	return "not decided"
}

// networkName is the name of a network in words.
func networkName(name string) string { return cmp.Or(name, event.DefaultNetwork) }

// networks tells which networks were better.
func (j *judgements) networks(unknown *unknowns) *Section {
	if len(j.pairs) == 0 {
		unknown.add("Networks: none were compared in the period. An objective with several networks has comparisons on the topic evaluations.")
		return nil
	}
	out := &Section{ID: "networks", Title: "Networks compared"}
	out.say("The difference is the log loss of the second network less that of the first, over all examples that both have learned until then, also before the period: above 0, the first is better. Its interval holds at all times at once, however long one watches, so a verdict may be acted on as soon as it is there.")
	t := &Table{ID: "networks", Title: "Pairs of networks", Columns: []Column{
		text("Objective", "objective"), text("First", "network"), text("Second", "versus"), number("Examples", "examples"), estimate("Difference", "difference"), text("Verdict", "better"), instant("As of (UTC)", "end"),
	}}
	for _, p := range j.sorted() {
		c := j.pairs[p]
		t.add(label(p.objective), label(networkName(p.network)), label(networkName(p.versus)), count(c.examples), c.difference.cell(decimals(5)), Cell{Text: c.verdict(p), Values: []string{c.better}}, when(c.end))
	}
	out.show(t)
	if l := j.lossTable(); len(l.Rows) > 0 {
		out.show(l)
	}
	if j.pairsOut > 0 {
		unknown.add("Comparisons of networks: %s of pairs beyond %d were left out.", plural(j.pairsOut, "record"), maxPairs)
	}
	return out
}

// lossTable tells what each network's predictions cost in the period.
func (j *judgements) lossTable() *Table {
	t := &Table{ID: "network_losses", Title: "Loss of each network in the period", Note: "Progressive: each example is predicted by the learner just before it is learned. Whole blocks of examples are counted, at the time of their last one.",
		Columns: []Column{text("Objective", "objective"), text("Network", "network"), number("Examples", "examples"), number("Log loss", "log_loss")}}
	for _, n := range slices.SortedFunc(maps.Keys(j.losses), func(a, b network) int {
		return cmp.Or(cmp.Compare(a.objective, b.objective), cmp.Compare(a.name, b.name))
	}) {
		if b := j.losses[n]; b.examples > 0 {
			t.add(label(n.objective), label(networkName(n.name)), count(b.examples), value(b.loss/b.weight, decimals(5)))
		}
	}
	return t
}
