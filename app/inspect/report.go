package inspect

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

// Report describes a model.
type Report struct {
	Source   string `json:"source"`
	Kind     string `json:"kind"`
	Model    string `json:"model"`
	Examples int64  `json:"examples"`
	// hash of the whole learned state, which a topic does not have
	Weights string `json:"weights,omitempty"`
	served
	Epoch int64 `json:"epoch,omitempty"`
	progress
	Config model.Config `json:"config"`
	// nil where nothing is calibrated; the slices with the most examples
	Calibration *model.Calibrated `json:"calibration,omitempty"`
	slices      map[string]string // values of slices that examples have, by field and token
	Classes     []string          `json:"classes,omitempty"` // names of a softmax's outputs
	influence
}

// served describes the weights that scorers serve.
type served struct {
	Snapshot      string `json:"snapshot"`    // hash of the last snapshot's bytes
	SnapshotAt    int64  `json:"snapshot_at"` // examples in it
	SnapshotBytes int    `json:"snapshot_bytes"`
	Deltas        int    `json:"deltas"` // on the topic after the snapshot
	DeltaBytes    int64  `json:"delta_bytes"`
	Records       int64  `json:"records,omitempty"` // of the snapshot and the deltas
}

// progress is how far the learner of a checkpoint has read.
type progress struct {
	Next    int64  `json:"next,omitempty"` // offset of the first example that is not learned
	TopicID string `json:"topic_id,omitempty"`
	// the highest predictions that are learned, one for each of their partitions
	Marks []event.Source `json:"marks,omitempty"`
}

// influence lists the features and values that move predictions most.
type influence struct {
	Measured int         `json:"measured"`           // examples
	Features []Influence `json:"features,omitempty"` // the strongest first
	Values   []Influence `json:"values,omitempty"`
}

// leastSeen is the number of examples that must have a value for it to be listed.
const leastSeen = 3

// Describe describes m, and lists the top features and values by their influence on examples.
func Describe(m *Model, examples []event.Example, top int) *Report {
	r := &Report{
		Source: m.Source, Kind: m.Kind, Model: m.Version(), Examples: m.Weights.Examples(), Weights: m.Hash(),
		served: served{m.SnapshotHash(), m.SnapshotAt, len(m.Snapshot), m.Deltas, m.DeltaBytes, m.Records},
		Epoch:  m.Epoch, Config: m.Weights.Config(), influence: influence{Measured: len(examples)},
	}
	if m.Kind == KindCheckpoint {
		r.progress = progress{m.State.Next(), m.State.TopicID(), m.State.Marks()}
	}
	if m.State != nil {
		r.Classes = m.State.About().Classes
	}
	if c := m.Weights.Calibration(); c.Count > 0 {
		c = c.Most(max(top, 1))
		r.Calibration, r.slices = &c, sliceNames(r.Config.Calibration.By, examples)
	}
	byFeature, byValue := Influences(m.Weights, examples)
	r.Features = byFeature[:min(top, len(byFeature))]
	for _, v := range byValue {
		if v.Examples >= leastSeen && len(r.Values) < top {
			r.Values = append(r.Values, v)
		}
	}
	return r
}

// Write prints the report as text.
func (r *Report) Write(w io.Writer) {
	r.writeModel(w)
	r.writeCalibration(w)
	if r.Measured == 0 {
		fmt.Fprintln(w, "\nno examples to measure influence on: give --kafka, or --examples FILE")
		return
	}
	fmt.Fprintf(w, "\ninfluence on the logit, over %d examples\n", r.Measured)
	writeInfluences(w, r.Features)
	fmt.Fprintln(w)
	writeInfluences(w, r.Values)
}

// writeModel prints all but the influences.
func (r *Report) writeModel(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", args...) }
	line("source", "%s (%s)", r.Source, r.Kind)
	line("model", "%s", r.Model)
	if r.Weights != "" {
		line("weights", "%s", r.Weights)
	}
	line("snapshot", "%s, %d bytes, at %d examples", r.Snapshot, r.SnapshotBytes, r.SnapshotAt)
	if r.Kind == KindTopic {
		line("behind it", "%d deltas, %d bytes; %d records with it", r.Deltas, r.DeltaBytes, r.Records)
	}
	if len(r.Classes) > 0 {
		line("classes", "%s", strings.Join(r.Classes, ", "))
	}
	if r.Epoch > 0 {
		line("epoch", "%d", r.Epoch)
	}
	if r.Kind == KindCheckpoint {
		line("next example", "offset %d of topic %s", r.Next, r.TopicID)
		for _, m := range r.Marks {
			line("learned of", "predictions %s partition %d to offset %d", m.Topic, m.Partition, m.Offset)
		}
	}
	if b, err := json.Marshal(r.Config); err == nil {
		line("settings", "%s", b)
	}
	_ = t.Flush() // the owner of w notices its errors
}

// writeInfluences prints a table.
func writeInfluences(w io.Writer, list []Influence) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "feature\texamples\tsize\tmean")
	for _, f := range list {
		name := f.Feature
		if f.Value != "" {
			name += " = " + short(f.Value)
		}
		fmt.Fprintf(t, "%s\t%d\t%.4f\t%+.4f\n", name, f.Examples, f.Absolute, f.Mean)
	}
	_ = t.Flush() // as in writeModel
}

func short(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "..."
	}
	return s
}

// Write prints the difference as text.
func (d *Difference) Write(w io.Writer) {
	fmt.Fprintf(w, "%s -> %s: %d examples learned in between\n", d.From, d.To, d.Examples)
	if d.SameBytes {
		fmt.Fprintln(w, "the served weights are the same, byte for byte")
	}
	for _, s := range d.Settings {
		fmt.Fprintf(w, "setting %s: %s -> %s\n", s.Name, cmp.Or(s.From, "none"), cmp.Or(s.To, "none"))
	}
	if d.Compared == 0 {
		fmt.Fprintln(w, "no examples to compare predictions on: give --kafka, or --examples FILE")
		return
	}
	fmt.Fprintf(w, "predictions of %d examples: mean change %+.6f, mean size %.6f, largest %+.6f (%s)\n\nchange of influence on the logit\n", d.Compared, d.MeanChange, d.MeanSize, d.Largest, cmp.Or(d.LargestAt, "none"))
	writeInfluences(w, d.Features)
}

// Write prints the verification as text.
func (v *Verification) Write(w io.Writer) {
	fmt.Fprintf(w, "%s of %s, from %s: %d examples replayed\nexpected  %s\ngot       %s\n", v.Model, v.Source, v.From, v.Replayed, v.Expected, v.Got)
	if v.Compared > 0 {
		fmt.Fprintf(w, "and %d predictions with the deltas behind it\n", v.Compared)
	}
	fmt.Fprintln(w, map[bool]string{true: "the same", false: "NOT the same"}[v.Same])
}
