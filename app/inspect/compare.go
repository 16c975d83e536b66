package inspect

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/feedback"
	"github.com/clickloop/clickloop/stream"
)

// Comparison is how the networks of an objective compare.
type Comparison struct {
	Objective string             `json:"objective"`
	Pairs     []event.Evaluation `json:"pairs"` // of window networks, one a pair
}

// Compare compares the networks of o by what stands on the topic evaluations now.
func Compare(ctx context.Context, client *stream.Client, o event.Objective) (*Comparison, error) {
	pairs, err := feedback.CompareNetworks(ctx, client, o)
	return &Comparison{o.Name, pairs}, err
}

// Write prints the comparison as a table.
func (c *Comparison) Write(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "network\tversus\texamples\tlog loss\tof versus\tdifference\tinterval\tbetter")
	for i := range c.Pairs {
		v := &c.Pairs[i]
		network := cmp.Or(v.Network, event.DefaultNetwork)
		loss, of, difference, interval, better := "-", "-", "-", "-", "undecided"
		if v.Difference != nil {
			loss, of, difference = fmt.Sprintf("%.5f", *v.LogLoss), fmt.Sprintf("%.5f", *v.LogLoss+*v.Difference), fmt.Sprintf("%+.5f", *v.Difference)
		}
		if d := v.DifferenceInterval; d != nil {
			interval = fmt.Sprintf("%+.5f to %+.5f", d[0], d[1])
		}
		switch v.Better {
		case "network":
			better = network
		case "versus":
			better = v.Versus
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", network, v.Versus, v.Examples, loss, of, difference, interval, better)
	}
	_ = t.Flush() // the owner of w notices its errors
}
