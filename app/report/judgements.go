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
	pairsOut int64 // records of pairs beyond maxPairs
	damaged  int64
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
	windowMinute   = "1m"
)

func newJudgements(p *period) *judgements {
	return &judgements{period: p, pairs: map[pair]comparison{}}
}

// add takes an evaluation whose end lies in the period.
func (j *judgements) add(r *stream.Record) (event.Time, error) {
	v := &j.v
	if v.UnmarshalJSON(r.Value) != nil {
		j.damaged++
		return 0, nil
	}
	at := cmp.Or(v.End, v.Start)
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
	out.say("The difference is the log loss of the second network less that of the first, over the same examples: above 0, the first is better. Its interval holds at all times at once, however long one watches, so a verdict may be acted on as soon as it is there.")
	t := &Table{ID: "networks", Title: "Pairs of networks", Columns: []Column{
		text("Objective", "objective"), text("First", "network"), text("Second", "versus"), number("Examples", "examples"), estimate("Difference", "difference"), text("Verdict", "better"), instant("As of (UTC)", "end"),
	}}
	for _, p := range j.sorted() {
		c := j.pairs[p]
		t.add(label(p.objective), label(networkName(p.network)), label(networkName(p.versus)), count(c.examples), c.difference.cell(decimals(5)), Cell{Text: c.verdict(p), Values: []string{c.better}}, when(c.end))
	}
	out.show(t)
	if j.pairsOut > 0 {
		unknown.add("Comparisons of networks: %s of pairs beyond %d were left out.", plural(j.pairsOut, "record"), maxPairs)
	}
	return out
}
