// Command three-two-one is the smallest network that learns something of marketing: three inputs
// (age, gender, past purchases), two hidden sigmoid units, one sigmoid output, learned by
// backpropagation from 70 of 100 generated customers and tested on the other 30.
//
// The rule of the data, which the network does not know: a customer buys when 4 purchases/10 + 2 (1
// - age/70) + gender/2 > 2.8, with age 18 to 70, gender 0 or 1, and 0 to 10 past purchases. Inputs
// are scaled to 0..1.
package main

import (
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"

	"github.com/clickloop/clickloop/internal/metrics"
	"github.com/clickloop/clickloop/model"
)

const (
	customers = 100
	learned   = 70
	passes    = 3000
	seed      = 7
)

// customer is one sample.
type customer struct {
	x    []model.Feature
	buys float64
}

// generate draws customers by seed; the rule is in the package comment.
func generate(seed uint64) []customer {
	rng := rand.New(rand.NewPCG(seed, 1))
	all := make([]customer, customers)
	for i := range all {
		age, gender, purchases := 18+rng.IntN(53), rng.IntN(2), rng.IntN(11)
		number := func(name string, v float64) model.Feature {
			return model.Feature{Field: model.FieldHash(name), Value: v, Kind: model.Number}
		}
		all[i].x = []model.Feature{
			number("age", float64(age-18)/52), number("gender", float64(gender)), number("purchases", float64(purchases)/10),
		}
		if 4*float64(purchases)/10+2*(1-float64(age)/70)+float64(gender)/2 > 2.8 {
			all[i].buys = 1
		}
	}
	return all
}

// network is 3-2-1 with sigmoid units and plain gradient descent.
func network(loss string, seed uint64) (*model.Net, error) {
	c := model.DefaultConfig()
	c.Seed, c.Network, c.Numbers, c.Loss = seed, []string{"mlp"}, "raw", loss
	c.MLP.Layers = []model.Layer{{Units: 2, Activation: "sigmoid"}}
	c.MLP.Optimizer = model.Optimizer{Kind: "sgd", Rate: 0.5, Schedule: "constant"}
	return model.New(c)
}

func evaluate(net *model.Net, s *model.Scratch, all []customer) metrics.Result {
	acc := metrics.New()
	for _, c := range all {
		acc.Add(net.Predict(c.x, s), c.buys, 1)
	}
	return acc.Result()
}

// learn runs all passes with one loss, prints how it goes, and returns the result on the 30 that
// were kept for the test.
func learn(w io.Writer, loss string) (metrics.Result, error) {
	all := generate(seed)
	net, err := network(loss, seed)
	if err != nil {
		return metrics.Result{}, err
	}
	s := net.NewScratch()
	fmt.Fprintf(w, "loss %s\n  pass  log loss of the %d\n", loss, learned)
	for pass := 1; pass <= passes; pass++ {
		for _, c := range all[:learned] {
			if _, err := net.Learn(c.x, c.buys, 1, s); err != nil {
				return metrics.Result{}, err
			}
		}
		if pass == 1 || pass == 10 || pass == 100 || pass%1000 == 0 {
			fmt.Fprintf(w, "  %4d  %.4f\n", pass, evaluate(net, s, all[:learned]).LogLoss)
		}
	}
	train, test := evaluate(net, s, all[:learned]), evaluate(net, s, all[learned:])
	fmt.Fprintf(w, "  learned from: accuracy %.3f, recall %.3f\n  kept for test: accuracy %.3f, recall %.3f\n", train.Accuracy, train.Recall, test.Accuracy, test.Recall)
	return test, nil
}

func main() {
	for _, loss := range []string{"mse", "cross_entropy"} {
		if _, err := learn(os.Stdout, loss); err != nil {
			log.Fatal(err)
		}
	}
}
