package scorer

// greedy chooses the best.
func greedy() *policy { return &policy{text: "greedy", choose: chooseBest} }

func chooseBest(d *decision) {
	for i := range d.ranked {
		d.ranked[i].Propensity = 0
		if i < d.k {
			d.ranked[i].Propensity = 1
		}
	}
}
