package inspect

import (
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
)

func TestAComparisonIsATable(t *testing.T) {
	loss, difference := 0.2, -0.01
	c := Comparison{"click", []event.Evaluation{
		{Versus: "plain"},
		{Network: "plain", Versus: "wide", Examples: 500, LogLoss: &loss, Difference: &difference},
		{Versus: "wide", Examples: 50_000, LogLoss: &loss, Difference: &difference, DifferenceInterval: &event.Interval{-0.02, 0.005}},
		{Network: "plain", Versus: "wide", Examples: 90_000, LogLoss: &loss, Difference: &difference, DifferenceInterval: &event.Interval{-0.02, -0.005}, Better: "versus"},
		{Versus: "plain", Examples: 90_000, LogLoss: &loss, Difference: &difference, Better: "network"},
	}}
	var b strings.Builder
	c.Write(&b)
	want := `network  versus  examples  log loss  of versus  difference  interval              better
default  plain   0         -         -          -           -                     undecided
plain    wide    500       0.20000   0.19000    -0.01000    -                     undecided
default  wide    50000     0.20000   0.19000    -0.01000    -0.02000 to +0.00500  undecided
plain    wide    90000     0.20000   0.19000    -0.01000    -0.02000 to -0.00500  wide
default  plain   90000     0.20000   0.19000    -0.01000    -                     default
`
	if b.String() != want {
		t.Errorf("the table is\n%s", &b)
	}
}
