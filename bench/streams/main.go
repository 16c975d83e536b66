// Command streams writes four made streams as CSV files with a column y, each with one thing that a
// network can fail at: dense.csv, abrupt.csv, noise.csv and ctr.csv.
//
// dense: twelve numbers of very different scale under a curved rule. abrupt: eight categories,
// whose weights and two of whose pairs' weights are redrawn every 30,000 rows. noise: eight
// categories under a fixed rule, of whose labels 30% are flipped. ctr: ten categories with ids that
// are drawn by a power law, of which most come once, with vectors that multiply, 0.6% positive.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
)

func main() {
	seed := flag.Uint64("seed", 5, "seed")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: streams [-seed N] FOLDER")
	}
	for i, s := range []stream{
		{"dense", 12, 60_000, dense},
		{"abrupt", 8, 120_000, abrupt},
		{"noise", 8, 100_000, noise},
		{"ctr", 10, 200_000, ctr},
	} {
		if err := s.write(flag.Arg(0), rand.New(rand.NewPCG(*seed, uint64(i)))); err != nil {
			log.Fatal(err)
		}
	}
}

// stream is a file: make begins one and gives its rows, cells and label.
type stream struct {
	name   string
	fields int
	rows   int
	make   func(rng *rand.Rand) func(n int, cells []string) bool
}

func (s stream) write(folder string, rng *rand.Rand) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("cannot write a stream: %w", err)
	}
	f, err := os.Create(filepath.Join(folder, s.name+".csv"))
	if err != nil {
		return fmt.Errorf("cannot write a stream: %w", err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range s.fields {
		fmt.Fprintf(w, "f%d,", i)
	}
	fmt.Fprintln(w, "y")
	row, cells := s.make(rng), make([]string, s.fields)
	for n := range s.rows {
		y := row(n, cells)
		for _, cell := range cells {
			_, _ = w.WriteString(cell) // an error stays until Flush
			_ = w.WriteByte(',')
		}
		fmt.Fprintln(w, map[bool]int{true: 1}[y])
	}
	return errors.Join(w.Flush(), f.Close())
}

func happens(rng *rand.Rand, logit float64) bool { return rng.Float64() < 1/(1+math.Exp(-logit)) }

func dense(rng *rand.Rand) func(int, []string) bool {
	return func(_ int, cells []string) bool {
		var x [12]float64
		for i := range cells {
			x[i] = rng.NormFloat64()
			cells[i] = fmt.Sprintf("%.5g", x[i]*math.Pow(10, float64(i%5-2)))
		}
		return happens(rng, x[0]+x[1]*x[2]-x[3]*x[3]+math.Sin(3*x[4])/2+x[5]*x[6]*x[7]/2)
	}
}

const values = 50 // of a category

// category draws a value, small ones more often.
func category(rng *rand.Rand) int { return min(values-1, int(rng.ExpFloat64()*12.5)) }

func normals(rng *rand.Rand, n int, deviation float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = rng.NormFloat64() * deviation
	}
	return v
}

func abrupt(rng *rand.Rand) func(int, []string) bool {
	var single [8][]float64
	var pairs [2][]float64
	return func(n int, cells []string) bool {
		if n%30_000 == 0 {
			for i := range single {
				single[i] = normals(rng, values, 0.9)
			}
			for i := range pairs {
				pairs[i] = normals(rng, values*values, 0.5)
			}
		}
		logit := -0.5
		var x [8]int
		for i := range cells {
			x[i] = category(rng)
			cells[i] = fmt.Sprint("v", x[i])
			logit += single[i][x[i]]
		}
		for i, w := range pairs {
			logit += w[x[2*i]*values+x[2*i+1]]
		}
		return happens(rng, logit)
	}
}

func noise(rng *rand.Rand) func(int, []string) bool {
	var single [8][]float64
	for i := range single {
		single[i] = normals(rng, values, 0.9)
	}
	return func(_ int, cells []string) bool {
		sum := 0.0
		for i := range cells {
			x := category(rng)
			cells[i] = fmt.Sprint("v", x)
			sum += single[i][x]
		}
		return (sum > 0) != (rng.Float64() < 0.3)
	}
}

func ctr(rng *rand.Rand) func(int, []string) bool {
	const ids, dims = 20_000, 3
	var single, vectors [10][]float64
	for i := range single {
		single[i], vectors[i] = normals(rng, ids, 0.3), normals(rng, ids*dims, 0.45)
	}
	return func(_ int, cells []string) bool {
		logit := -5.2
		var x [10]int
		for i := range cells {
			x[i] = int(math.Pow(1-rng.Float64(), -1/(0.6+float64(i)/10))) % ids
			cells[i] = fmt.Sprint("v", x[i])
			logit += single[i][x[i]]
		}
		for _, p := range [][2]int{{0, 1}, {2, 3}, {4, 5}, {0, 5}} {
			for d := range dims {
				logit += vectors[p[0]][x[p[0]]*dims+d] * vectors[p[1]][x[p[1]]*dims+d]
			}
		}
		return happens(rng, logit)
	}
}
