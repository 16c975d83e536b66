package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/scorer"
)

const decisionExamples = `  clickloop tail predictions -o -1000 -e | clickloop decision              make the choices of these again
  clickloop decision --seed 7 --request auction-42 predictions.jsonl
A choice is made again from the request's id, the scorer's seed (scorer.seed) and what its predictions say. Exit status 1: one differs.
`

const (
	maxDecisions      = 1_000_000 // predictions that are read
	maxPredictionLine = 1 << 20   // bytes of one
)

// decisionCommand makes random choices again from logged predictions.
func decisionCommand(_ context.Context, args []string, stdout, stderr io.Writer) error {
	fs := newFlags("decision", "decision [FILE...] [flags]", decisionExamples, stderr)
	seed := fs.Uint64("seed", scorer.DefaultConfig().Seed, "`seed` of the scorer that chose (scorer.seed)")
	request := fs.String("request", "", "make the choice of this request `id` only")
	paths, err := parse(fs, args)
	if err != nil {
		return err
	}
	d := decisions{only: *request, byRequest: map[string][]event.Prediction{}}
	if len(paths) == 0 {
		paths = []string{"-"}
	}
	for _, path := range paths {
		if err := d.readFile(path); err != nil {
			return err
		}
	}
	return d.print(*seed, stdout, stderr)
}

// decisions are predictions by the request that they are of.
type decisions struct {
	only      string
	requests  []string // in the order of their first predictions
	byRequest map[string][]event.Prediction
	read      int
}

func (d *decisions) readFile(path string) error {
	if path == "-" {
		return d.readFrom(os.Stdin, "standard input")
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return d.readFrom(f, path)
}

func (d *decisions) readFrom(r io.Reader, name string) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxPredictionLine)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		p, err := event.ParsePrediction(append([]byte(nil), lines.Bytes()...))
		if err != nil {
			return fmt.Errorf("%s:%d is no prediction: %w", name, n, err)
		}
		if d.read++; d.read > maxDecisions {
			return fmt.Errorf("%s:%d is prediction %d: at most %d are read at once", name, n, d.read, maxDecisions)
		}
		d.add(p)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("cannot read %s: %w", name, err)
	}
	return nil
}

// add takes a prediction. One that comes again is a repeat, of which the first stands.
func (d *decisions) add(p event.Prediction) {
	if d.only != "" && p.Request != d.only {
		return
	}
	known, ok := d.byRequest[p.Request]
	if !ok {
		d.requests = append(d.requests, p.Request)
	}
	for i := range known {
		if known[i].ID == p.ID {
			return
		}
	}
	d.byRequest[p.Request] = append(known, p)
}

// print makes every choice again and prints a line for each.
func (d *decisions) print(seed uint64, stdout, stderr io.Writer) error {
	same, differ, left := 0, 0, 0
	for _, request := range d.requests {
		made, err := scorer.Decide(seed, d.byRequest[request])
		switch {
		case err != nil:
			left++
			fmt.Fprintf(stdout, "%s\tnot made again\t%v\n", request, err)
			continue
		case made.Same():
			same++
			fmt.Fprintf(stdout, "%s\tsame", request)
		default:
			differ++
			fmt.Fprintf(stdout, "%s\tdiffers\tlogged%s\tagain", request, choices(made.Logged))
		}
		fmt.Fprintf(stdout, "%s\t%s of %d\n", choices(made.Again), made.Policy, made.Candidates)
	}
	fmt.Fprintf(stderr, "clickloop decision: %d the same, %d differ, %d not made again\n", same, differ, left)
	if differ > 0 {
		return errors.New("choices differ: was the scorer's seed another one (--seed), or was a request answered by the choice of a process before?")
	}
	return nil
}

// choices are chosen candidates as text: index, ad and propensity.
func choices(all []scorer.Choice) (text string) {
	for _, c := range all {
		text += fmt.Sprintf("\t%d %s %.6g", c.Index, c.Ad, c.Propensity)
	}
	return text
}
