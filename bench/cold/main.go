// Command cold measures how a network starts: predicted over actual of the first thousand examples
// of made streams, at four rates of positives, with labels that come at once and 500 examples late.
//
// A stream has one of ten shapes: few or many tokens, numbers, both, with and without something to
// learn. The table gives the 5th, 50th and 95th percentile over the streams that have a positive,
// the share of them within the bar (0.5 to 2; at 0.2%, 0.3 to 3), what all streams of a rate give
// together, and the mean log loss beside that of the true rate.
package main

import (
	"flag"
	"fmt"
	"log"
	"math"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/model"
)

const rows = 1000

func main() {
	seeds := flag.Int("seeds", 10, "streams of each shape, rate and delay")
	first := flag.Uint64("first", 1, "first seed")
	network := flag.String("network", "", "parts of a plain network; none: the default")
	prior := flag.Float64("prior", 0, "prior; 0: the default one")
	only := flag.String("shape", "", "only this shape")
	perShape := flag.Bool("shapes", false, "a line a shape too")
	flag.Parse()
	c := model.DefaultConfig()
	if *network != "" {
		c.Network = strings.Split(*network, ",")
	}
	if *prior > 0 {
		c.Prior = *prior
	}
	fmt.Println("| rate | delay | 5% | 50% | 95% | in the bar | together | log loss | of the rate |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	for _, rate := range []float64{0.002, 0.01, 0.1, 0.4} {
		for _, delay := range []int{0, 500} {
			var all result
			for _, s := range shapes {
				if *only != "" && s.name != *only {
					continue
				}
				var mine result
				for seed := range uint64(*seeds) {
					xs, ys := s.stream(*first+seed, rate)
					mine.add(run(c, xs, ys, delay))
				}
				if *perShape {
					mine.print(s.name, rate, delay)
				}
				all.merge(mine)
			}
			all.print("", rate, delay)
		}
	}
	thrown(c)
}

// thrown prints how far one positive moves a net that has learned so many negatives, for the same
// features and for others.
func thrown(c model.Config) {
	fmt.Println("\n| shape | negatives before | before | one positive: the same features | others |\n|---|---|---|---|---|")
	for _, s := range shapes {
		for _, negatives := range []int{0, 30, 100} {
			xs, _ := s.stream(1, 0.5)
			n, err := model.New(c)
			if err != nil {
				log.Fatal(err)
			}
			k := n.NewScratch()
			learn := func(x []model.Feature, y float64) {
				if _, err := n.Learn(x, y, 1, k); err != nil {
					log.Fatal(err)
				}
			}
			for _, x := range xs[:negatives] {
				learn(x, 0)
			}
			before := n.Predict(xs[negatives], k)
			learn(xs[negatives], 1)
			fmt.Printf("| %s | %d | %.4f | %.3f | %.3f |\n", s.name, negatives, before, n.Predict(xs[negatives], k), n.Predict(xs[negatives+1], k))
		}
	}
}

// result gathers streams of one rate.
type result struct {
	ratios            []float64
	predicted, actual float64
	loss              float64
	streams           int
}

func (r *result) add(predicted, actual, loss float64) {
	r.predicted, r.actual, r.loss, r.streams = r.predicted+predicted, r.actual+actual, r.loss+loss, r.streams+1
	if actual > 0 {
		r.ratios = append(r.ratios, predicted/actual)
	}
}

func (r *result) merge(o result) {
	r.ratios = append(r.ratios, o.ratios...)
	r.predicted, r.actual, r.loss, r.streams = r.predicted+o.predicted, r.actual+o.actual, r.loss+o.loss, r.streams+o.streams
}

func (r *result) print(name string, rate float64, delay int) {
	slices.Sort(r.ratios)
	low, high := 0.5, 2.0
	if rate < 0.005 {
		low, high = 0.3, 3
	}
	in := 0
	for _, v := range r.ratios {
		if v >= low && v <= high {
			in++
		}
	}
	at := func(q float64) float64 { return r.ratios[int(q*float64(len(r.ratios)-1)+0.5)] }
	q := r.actual / float64(r.streams*rows)
	fmt.Printf("| %g%% %s | %d | %.2f | %.2f | %.2f | %.0f%% | %.2f | %.5f | %.5f |\n", 100*rate, name, delay, at(0.05), at(0.5), at(0.95),
		100*float64(in)/float64(len(r.ratios)), r.predicted/r.actual, r.loss/float64(r.streams), -q*math.Log(q)-(1-q)*math.Log(1-q))
}

// run predicts every example and learns its label when delay more were predicted.
func run(c model.Config, xs [][]model.Feature, ys []float64, delay int) (predicted, actual, loss float64) {
	n, err := model.New(c)
	if err != nil {
		log.Fatal(err)
	}
	s := n.NewScratch()
	for i := range xs {
		if i > delay || delay == 0 && i > 0 {
			at := i - max(delay, 1)
			if _, err := n.Learn(xs[at], ys[at], 1, s); err != nil {
				log.Fatal(err)
			}
		}
		p := n.Predict(xs[i], s)
		predicted, actual = predicted+p, actual+ys[i]
		loss -= math.Log(max(1e-15, 1-math.Abs(ys[i]-p)))
	}
	return predicted, actual, loss / float64(len(xs))
}
