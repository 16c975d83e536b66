package inspect

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// sliceNames returns the values that make slices of the calibration, as examples have them, by
// field and token. A network keeps hashes alone.
func sliceNames(by []string, examples []event.Example) map[string]string {
	names := map[string]string{}
	var x []model.Feature
	for i := range examples {
		for _, f := range examples[i].Features {
			if f.Value.Kind != event.String || !slices.Contains(by, f.Name) {
				continue
			}
			if x = features.Encode(x[:0], event.Fields{f}); len(x) > 0 {
				names[f.Name+"="+model.TokenText(x[0].Hash)] = f.Value.Str
			}
		}
	}
	return names
}

// writeCalibration prints the slices with the most examples.
func (r *Report) writeCalibration(w io.Writer) {
	c := r.Calibration
	if c == nil {
		return
	}
	fmt.Fprintf(w, "\ncalibration: %d slices, %d in force, %d examples whose slice was beyond max_slices\n", c.Count, c.InForce, c.Refused)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "slice\tparent\tvalue\texamples\tpositives\tin force\tmap and shift")
	for _, s := range c.Slices {
		parent, value := "-", "all examples"
		if s.Parent >= 0 {
			name := s.Field + "=" + s.Token
			parent, value = fmt.Sprint(s.Parent), s.Field+" = "+short(cmp.Or(r.slices[name], "hash "+s.Token))
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%.6g\t%v\t%+.4f %+.4f %+.4f %+.4f\n", s.At, parent, value, s.Examples, s.Positives, s.InForce, s.Weights[0], s.Weights[1], s.Weights[2], s.Shift)
	}
	_ = t.Flush() // as in writeModel
}
