package dashboard

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// windows are the names of evaluations' windows.
var windows = []string{"1m", "1h", "1d", "all", "guard", "block", "networks"}

func knownWindow(name string) bool { return slices.Contains(windows, name) }

// series names a line of a chart: a segment is NAME=VALUE, and empty for the whole; a network is
// that of a block or a comparison, and empty for the default one.
type series struct{ objective, window, segment, network string }

// Bounds of what is kept.
const (
	wholePoints   = pointsMost // of a series of the whole
	segmentPoints = 120        // of a series of a segment
	mostSeries    = 20_000     // the objectives' segments, 200 a window, and their networks
	pointBytes    = 64         // of a point beside its text
)

// history keeps the newest evaluations of each series, as they are sent. Its bytes are bounded: at
// the bound each segment's series is cut to its newer half, then those of the whole.
type history struct {
	most int

	mu      sync.Mutex
	bytes   int
	series  map[series]*line
	refused int64 // points of series beyond mostSeries
	cut     bool  // points have left because of the bound
	gaps    []string
	done    bool // the topic is read to its end
}

// line is one series in the order of its ends, which is that of its starts but for what is measured
// since the start.
type line struct {
	points []point
	limit  int // points
}

type point struct {
	start, end event.Time
	examples   int64
	off        float64 // how far the calibration is off: |log(predicted/actual)|, in its standard errors
	alarm      string
	text       []byte
}

func newHistory(most int) *history { return &history{most: most, series: map[series]*line{}} }

// seriesOf is where an evaluation belongs.
func seriesOf(v *event.Evaluation) series {
	s := series{objective: v.Objective, window: v.Window, network: v.Network}
	if s.network == event.DefaultNetwork {
		s.network = ""
	}
	if v.Window == "networks" {
		s.network += " " + v.Versus
	}
	for i, f := range v.Segment {
		if i > 0 {
			s.segment += ","
		}
		s.segment += f.Name + "=" + f.Value.Text()
	}
	return s
}

// add keeps an evaluation. One with the start and end of another takes its place: two processes may
// write the same window.
func (h *history) add(v *event.Evaluation) {
	s := seriesOf(v)
	p := point{start: v.Start, end: v.End, examples: v.Examples, off: miscalibration(v), alarm: v.Alarm, text: v.AppendJSON(nil)}
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.series[s]
	if l == nil {
		if len(h.series) >= mostSeries {
			h.refused++
			return
		}
		l = &line{limit: wholePoints}
		if s.segment != "" {
			l.limit = segmentPoints
		}
		h.series[s] = l
	}
	h.bytes += l.add(p)
	if h.bytes > h.most {
		h.shrinkLocked()
	}
}

func (p *point) size() int { return len(p.text) + pointBytes }

// add puts p into its place, and returns by how many bytes the series has grown.
func (l *line) add(p point) (grown int) {
	i, found := slices.BinarySearchFunc(l.points, p, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.end, b.end), cmp.Compare(a.start, b.start))
	})
	grown = p.size()
	if found {
		grown -= l.points[i].size()
		l.points[i] = p
		return grown
	}
	l.points = slices.Insert(l.points, i, p)
	if n := len(l.points) - l.limit; n > 0 {
		grown -= l.drop(n)
	}
	return grown
}

// drop removes the n oldest points, and returns their bytes.
func (l *line) drop(n int) (bytes int) {
	for i := range l.points[:n] {
		bytes += l.points[i].size()
	}
	l.points = slices.Delete(l.points, 0, n)
	return bytes
}

// shrinkLocked halves series until their bytes are three quarters of the bound at most.
func (h *history) shrinkLocked() {
	h.cut = true
	for h.bytes > h.most*3/4 {
		before := h.bytes
		for _, whole := range []bool{false, true} {
			for s, l := range h.series {
				if (s.segment == "") == whole && len(l.points) > 1 {
					h.bytes -= l.drop(len(l.points) / 2)
				}
			}
			if h.bytes <= h.most*3/4 {
				return
			}
		}
		if h.bytes == before { // a point a series: the bound on series holds
			return
		}
	}
}

// miscalibration says how sure it is that predictions are off: the distance of the positives from
// what was predicted, in standard deviations of a Poisson count of that many. So a segment of ten
// examples is not the worst by chance.
func miscalibration(v *event.Evaluation) float64 {
	if v.Predicted == nil || v.Actual == nil || v.Weight == nil || *v.Weight <= 0 || *v.Predicted <= 0 {
		return 0
	}
	each := *v.Weight / float64(max(v.Examples, 1)) // weight of an example, about
	off := math.Abs(*v.Predicted-*v.Actual) / math.Sqrt(*v.Predicted*each)
	if math.IsNaN(off) || math.IsInf(off, 0) {
		return 0
	}
	return off
}

// append appends the answer of a call for a series.
func (h *history) append(dst []byte, q seriesQuery) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := strictjson.NewObject(dst)
	o.Text("objective", q.objective)
	o.Text("window", q.window)
	o.OptionalText("segment", q.segment)
	o.OptionalText("network", q.network)
	o.Key("complete")
	o.Buf = strconv.AppendBool(o.Buf, h.done)
	if gaps := h.gapsLocked(); len(gaps) > 0 {
		text, _ := json.Marshal(gaps) // a list of texts always is JSON
		o.Key("gaps")
		o.Buf = append(o.Buf, text...)
	}
	o.Key("points")
	o.Buf = append(o.Buf, '[')
	for i, p := range h.findLocked(q) {
		if i > 0 {
			o.Buf = append(o.Buf, ',')
		}
		o.Buf = append(o.Buf, p.text...)
	}
	o.Buf = append(o.Buf, ']')
	return o.End()
}

// findLocked returns the newest points of a series. Comparisons of all networks are one series, and
// so are blocks when no network is asked for.
func (h *history) findLocked(q seriesQuery) []point {
	var found []point
	if l := h.series[q.series]; l != nil {
		found = l.points
	}
	if q.window == "networks" || q.window == "block" && q.network == "" {
		found = nil
		for s, l := range h.series {
			if s.objective == q.objective && s.window == q.window && (q.network == "" || slices.Contains(strings.Fields(s.network), q.network)) {
				found = append(found, l.points...)
			}
		}
		slices.SortFunc(found, func(a, b point) int {
			return cmp.Or(cmp.Compare(a.end, b.end), cmp.Compare(a.start, b.start), cmp.Compare(string(a.text), string(b.text)))
		})
	}
	return found[max(0, len(found)-q.points):]
}

// note says what a reader of the series should know: which records are missing.
func (h *history) note(gap string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.gaps) < 10 {
		h.gaps = append(h.gaps, gap)
	}
}

func (h *history) setDone(done bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = done
}

func (h *history) gapsLocked() []string {
	gaps := slices.Clone(h.gaps)
	if h.cut {
		gaps = append(gaps, "older points have left: dashboard.max_bytes bounds what is kept")
	}
	if h.refused > 0 {
		gaps = append(gaps, "some segments are not kept: there are too many")
	}
	return gaps
}

// mostSegments is how many segments of an objective a state has of each kind.
const mostSegments = 25

// newest returns for the objectives the newest whole of each window, then segments of all since the
// start: those whose calibration is surely off, and those with most examples.
func (h *history) newest(objectives []event.Objective) []json.RawMessage {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []json.RawMessage{}
	for _, o := range objectives {
		for _, window := range []string{"all", "1d", "1h", "1m"} {
			if l := h.series[series{objective: o.Name, window: window}]; l != nil {
				out = append(out, l.last().text)
			}
		}
	}
	segments := map[string][]*point{}
	for s, l := range h.series {
		if s.window == "all" && s.segment != "" {
			segments[s.objective] = append(segments[s.objective], l.last())
		}
	}
	for _, o := range objectives {
		out = append(out, pick(segments[o.Name])...)
	}
	return out
}

func (l *line) last() *point { return &l.points[len(l.points)-1] }

// pick chooses segments; equal ones are ordered by their text, so that a state does not change
// without reason.
func pick(all []*point) []json.RawMessage {
	out := []json.RawMessage{}
	taken := map[*point]bool{}
	take := func(less func(a, b *point) int) {
		slices.SortFunc(all, func(a, b *point) int { return cmp.Or(less(a, b), cmp.Compare(string(a.text), string(b.text))) })
		for _, p := range all[:min(len(all), mostSegments)] {
			if !taken[p] {
				taken[p] = true
				out = append(out, p.text)
			}
		}
	}
	take(func(a, b *point) int { return cmp.Compare(b.off, a.off) })
	take(func(a, b *point) int { return cmp.Compare(b.examples, a.examples) })
	return out
}

// networks returns the newest comparison of each pair of networks.
func (h *history) networks(objectives []event.Objective) []json.RawMessage {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []json.RawMessage{}
	for _, o := range objectives {
		var found []*point
		for s, l := range h.series {
			if s.objective == o.Name && s.window == "networks" {
				found = append(found, l.last())
			}
		}
		slices.SortFunc(found, func(a, b *point) int { return cmp.Compare(string(a.text), string(b.text)) })
		for _, p := range found {
			out = append(out, p.text)
		}
	}
	return out
}

// guards tells of each objective which alarm stands: that of the labels that were about to be
// written, until it ended, or that of the newest minute.
func (h *history) guards(objectives []event.Objective, hold bool) []GuardInfo {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []GuardInfo{}
	for _, o := range objectives {
		g := GuardInfo{Objective: o.Name}
		labels, minute := h.series[series{objective: o.Name, window: "guard"}], h.series[series{objective: o.Name, window: "1m"}]
		if labels != nil {
			p := labels.last()
			g.Alarm, g.Time, g.Held = p.alarm, p.end, hold && p.alarm != ""
		}
		if minute != nil && g.Alarm == "" {
			if p := minute.last(); p.end > g.Time {
				g.Alarm, g.Time = p.alarm, p.end
			}
		}
		out = append(out, g)
	}
	return out
}
