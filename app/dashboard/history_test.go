package dashboard

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// value is a counter's or a gauge's.
func value(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var d dto.Metric
	if err := m.Write(&d); err != nil {
		t.Fatal(err)
	}
	return d.GetCounter().GetValue() + d.GetGauge().GetValue()
}

const t0 = event.Time(1_700_000_000_000)

func number(f float64) *float64 { return &f }

// evaluated is an evaluation of minute n.
func evaluated(window string, n int, change func(*event.Evaluation)) *event.Evaluation {
	v := event.Evaluation{Objective: "click", Window: window, Start: t0 + event.Time(n)*minute, End: t0 + event.Time(n+1)*minute, Examples: int64(n), LogLoss: number(float64(n))}
	if change != nil {
		change(&v)
	}
	return &v
}

func segment(name, text string) func(*event.Evaluation) {
	return func(v *event.Evaluation) {
		v.Segment = event.Fields{{Name: name, Value: event.Value{Kind: event.String, Str: text}}}
	}
}

// told is the answer for a series.
type told struct {
	Complete bool
	Gaps     []string
	Points   []event.Evaluation
}

func ask(t *testing.T, h *history, s series, points int) told {
	t.Helper()
	var got told
	if err := json.Unmarshal(h.append(nil, seriesQuery{s, points}), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func starts(all []event.Evaluation) (minutes []int) {
	for _, v := range all {
		minutes = append(minutes, int((v.Start-t0)/minute))
	}
	return minutes
}

func TestASeriesHasItsNewestPointsInOrder(t *testing.T) {
	h := newHistory(1 << 20)
	for _, n := range []int{3, 1, 2, 5, 4, 2} { // two processes may write, and one of them twice
		h.add(evaluated("1m", n, nil))
		h.add(evaluated("1m", n, segment("campaign", "c9")))
		h.add(evaluated("1h", n, nil))
	}
	whole := series{objective: "click", window: "1m"}
	if got := ask(t, h, whole, 500); !slices.Equal(starts(got.Points), []int{1, 2, 3, 4, 5}) || got.Complete || got.Gaps != nil {
		t.Errorf("the whole is %v, %+v", starts(got.Points), got)
	}
	if got := ask(t, h, whole, 2); !slices.Equal(starts(got.Points), []int{4, 5}) {
		t.Errorf("two points are %v", starts(got.Points))
	}
	one := ask(t, h, series{objective: "click", window: "1m", segment: "campaign=c9"}, 500)
	if len(one.Points) != 5 || one.Points[0].Segment[0].Value.Str != "c9" {
		t.Errorf("the segment is %+v", one.Points)
	}
	if got := ask(t, h, series{objective: "click", window: "1m", segment: "campaign=c1"}, 500); got.Points == nil || len(got.Points) != 0 {
		t.Errorf("a segment that is not there is %+v", got)
	}
}

func TestASeriesIsBoundedByItsPoints(t *testing.T) {
	h := newHistory(1 << 30)
	for n := range wholePoints + 10 {
		h.add(evaluated("1m", n, nil))
		h.add(evaluated("1m", n, segment("ad", "a")))
	}
	got := ask(t, h, series{objective: "click", window: "1m"}, pointsMost)
	if len(got.Points) != wholePoints || starts(got.Points)[0] != 10 {
		t.Errorf("the whole has %d points from %d on", len(got.Points), starts(got.Points)[0])
	}
	if got := ask(t, h, series{objective: "click", window: "1m", segment: "ad=a"}, pointsMost); len(got.Points) != segmentPoints {
		t.Errorf("a segment has %d points", len(got.Points))
	}
	bytes := 0
	for _, l := range h.series {
		for i := range l.points {
			bytes += l.points[i].size()
		}
	}
	if bytes != h.bytes {
		t.Errorf("it counts %d bytes and holds %d", h.bytes, bytes)
	}
}

// At the bound of bytes segments lose their older half before the whole does, and the answer says
// that points are missing.
func TestTheHistoryIsBoundedByItsBytes(t *testing.T) {
	const most = 400_000
	h := newHistory(most)
	for n := range 200 {
		h.add(evaluated("1m", n, nil))
		for s := range 30 {
			h.add(evaluated("1m", n, segment("ad", fmt.Sprint(s))))
		}
		if h.bytes > most {
			t.Fatalf("minute %d: it holds %d bytes", n, h.bytes)
		}
	}
	whole := ask(t, h, series{objective: "click", window: "1m"}, pointsMost)
	part := ask(t, h, series{objective: "click", window: "1m", segment: "ad=7"}, pointsMost)
	if len(whole.Points) != 200 || len(part.Points) < 10 || len(part.Points) > segmentPoints || starts(part.Points)[len(part.Points)-1] != 199 {
		t.Errorf("the whole has %d points, a segment %v", len(whole.Points), starts(part.Points))
	}
	if len(whole.Gaps) != 1 || !strings.Contains(whole.Gaps[0], "dashboard.max_bytes") {
		t.Errorf("its gaps are %q", whole.Gaps)
	}
}

func TestTheStateHasTheWorstAndTheLargestSegments(t *testing.T) {
	h := newHistory(1 << 30)
	h.add(evaluated("all", 1, nil))
	h.add(evaluated("1h", 1, nil))
	for i := range 100 {
		h.add(evaluated("all", 1, func(v *event.Evaluation) {
			segment("ad", fmt.Sprintf("a%02d", i))(v)
			// the examples rise with the index; the ad 7 is off by six deviations, and the ad 3 by
			// more than that in proportion, but with two positives
			v.Examples, v.Weight, v.Predicted, v.Actual = int64(1000+i), number(float64(1000+i)), number(100), number(100)
			switch i {
			case 3:
				v.Predicted, v.Actual = number(0.5), number(2)
			case 7:
				v.Actual = number(160)
			}
		}))
	}
	got := h.newest([]event.Objective{{Name: "click"}})
	var names []string
	for _, text := range got {
		var v event.Evaluation
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		if len(v.Segment) == 0 {
			names = append(names, v.Window)
		} else {
			names = append(names, v.Segment[0].Value.Str)
		}
	}
	if len(names) != 2+2*mostSegments || names[0] != "all" || names[1] != "1h" || names[2] != "a07" || names[3] != "a03" || names[2+mostSegments] != "a99" {
		t.Errorf("the state has %v", names)
	}
}

func TestBlocksAndComparisonsOfNetworksAreOneSeries(t *testing.T) {
	h := newHistory(1 << 20)
	for n := range 3 {
		for _, network := range []string{"default", "plain", "wide"} {
			h.add(evaluated("block", n, func(v *event.Evaluation) { v.Network = network }))
		}
		h.add(evaluated("networks", n, func(v *event.Evaluation) { v.Network, v.Versus = "default", "plain" }))
		h.add(evaluated("networks", n, func(v *event.Evaluation) { v.Network, v.Versus = "plain", "wide" }))
	}
	f := func(window, network string, want int) {
		t.Helper()
		if got := ask(t, h, series{objective: "click", window: window, network: network}, 500); len(got.Points) != want {
			t.Errorf("%s of %q has %d points, want %d", window, network, len(got.Points), want)
		}
	}
	f("block", "", 9)
	f("block", "plain", 3)
	f("networks", "", 6)
	f("networks", "plain", 6)
	f("networks", "wide", 3)
	if got := h.networks([]event.Objective{{Name: "click"}}); len(got) != 2 {
		t.Errorf("the state has %d comparisons, want the newest of each pair", len(got))
	}
}

func TestAnAlarmStandsUntilItHasEnded(t *testing.T) {
	h := newHistory(1 << 20)
	click := []event.Objective{{Name: "click"}}
	f := func(window string, n int, alarm, want string, held bool) {
		t.Helper()
		h.add(evaluated(window, n, func(v *event.Evaluation) { v.Alarm = alarm }))
		if g := h.guards(click, true)[0]; g.Alarm != want || g.Held != held {
			t.Errorf("after %s %d: %+v, want %q, held %v", window, n, g, want, held)
		}
	}
	f("1m", 1, "", "", false)
	f("guard", 2, "no positives", "no positives", true)
	f("1m", 3, "", "no positives", true)
	f("guard", 4, "", "", false)
	f("1m", 5, "too many", "too many", false) // of a minute alone: nothing is held
	f("1m", 6, "", "", false)
}
