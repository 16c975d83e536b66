package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/clickloop/clickloop/model"
)

// shape is a kind of stream: columns of categories with so many values each, columns of numbers,
// and how much a category's value and a number weigh in the logit (0: the labels are noise).
type shape struct {
	name          string
	values        []int
	numbers       int
	weight, slope float64
	powerLaw      bool // values drawn by a power law
}

var shapes = []shape{
	{name: "one-field", values: []int{3}},
	{name: "ads-sites", values: []int{20, 5}},
	{name: "many-tokens", values: []int{1000, 1000, 1000, 300, 300, 100, 100, 30, 10, 5}},
	{name: "numbers", numbers: 6},
	{name: "both", values: []int{12, 12, 8, 5, 4, 4, 3, 3, 2, 2, 1}, numbers: 8},
	{name: "ads-signal", values: []int{20, 5, 3}, weight: 1},
	{name: "strong-signal", values: []int{8, 8, 4}, weight: 2},
	{name: "number-signal", numbers: 4, slope: 1},
	{name: "both-signal", values: []int{50, 12, 8, 5, 4, 4, 3, 2}, numbers: 5, weight: 0.5, slope: 0.5},
	{name: "ids-signal", values: []int{5000, 2000, 300, 20, 5}, weight: 1, powerLaw: true},
}

// stream makes the stream of a seed, with the rate of positives that is asked for.
func (s shape) stream(seed uint64, rate float64) (xs [][]model.Feature, ys []float64) {
	rng := rand.New(rand.NewPCG(seed, math.Float64bits(rate)))
	weights := make([][]float64, len(s.values))
	for f, n := range s.values {
		weights[f] = make([]float64, n)
		for i := range weights[f] {
			weights[f][i] = s.weight * rng.NormFloat64()
		}
	}
	logits := make([]float64, rows)
	for i := range rows {
		var x []model.Feature
		for f, n := range s.values {
			v := rng.IntN(n)
			if s.powerLaw {
				v = int(float64(n) * math.Pow(rng.Float64(), 3))
			}
			logits[i] += weights[f][v]
			x = append(x, model.Feature{Field: model.FieldHash(fmt.Sprint("c", f)), Hash: model.TokenHash(fmt.Sprint(v)), Value: 1})
		}
		for f := range s.numbers {
			v := rng.NormFloat64()
			if f%2 == 0 {
				logits[i] += s.slope * v
			}
			if f%3 == 1 {
				v = math.Round(20 * math.Exp(v))
			}
			x = append(x, model.Feature{Field: model.FieldHash(fmt.Sprint("n", f)), Kind: model.Number, Value: v})
		}
		xs = append(xs, x)
	}
	by := offset(logits, rate)
	for _, z := range logits {
		y := 0.0
		if rng.Float64() < sigmoid(z+by) {
			y = 1
		}
		ys = append(ys, y)
	}
	return xs, ys
}

// offset is what the logits need for their mean probability to be the rate.
func offset(logits []float64, rate float64) float64 {
	low, high := -40.0, 40.0
	for range 60 {
		by := (low + high) / 2
		var sum float64
		for _, z := range logits {
			sum += sigmoid(z + by)
		}
		if sum < rate*float64(len(logits)) {
			low = by
		} else {
			high = by
		}
	}
	return low
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
