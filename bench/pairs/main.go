// Command pairs writes three files in Vowpal Wabbit's format that tell whether a network learns
// what parts mean, not pairs: train.vw, easy.vw and hard.vw.
//
// A row has twelve fields. A is one of two animal kinds with a number 0..1000, B one of two foods
// with a number 0..1000; the label is 1 when a herbivore meets a plant or a carnivore meat, else
// -1. C to L are noise: the letter and a number 0..10000. In train and easy one of the two numbers,
// chosen at random, is at most 250; in hard both are above: pairs never seen together.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

const (
	low  = 250
	high = 1000
)

func main() {
	rows := flag.Int("rows", 1_000_000, "rows of each file")
	seed := flag.Uint64("seed", 7, "seed")
	only := flag.String("only", "", "write this one only: train, easy or hard")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: pairs [-rows N] [-seed N] [-only NAME] FOLDER")
	}
	for i, name := range []string{"train", "easy", "hard"} {
		if *only != "" && *only != name {
			continue
		}
		path := filepath.Join(flag.Arg(0), name+".vw")
		if err := write(path, *rows, rand.New(rand.NewPCG(*seed, uint64(i))), name == "hard"); err != nil {
			log.Fatal(err)
		}
	}
}

func write(path string, rows int, rng *rand.Rand, hard bool) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("cannot write pairs: %w", err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	var b []byte
	for range rows {
		b = row(b[:0], rng, hard)
		if _, err := w.Write(b); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(w.Flush(), f.Close())
}

// row appends one line.
func row(b []byte, rng *rand.Rand, hard bool) []byte {
	animal, food := rng.IntN(2), rng.IntN(2)
	x, y := rng.IntN(high+1), rng.IntN(low+1)
	switch {
	case hard:
		x, y = low+1+rng.IntN(high-low), low+1+rng.IntN(high-low)
	case rng.IntN(2) == 0:
		x, y = y, x
	}
	label := "-1"
	if animal == food {
		label = "1"
	}
	b = append(b, label...)
	b = strconv.AppendInt(append(append(b, " |A "...), [...]string{"Herbivore-", "Carnivore-"}[animal]...), int64(x), 10)
	b = strconv.AppendInt(append(append(b, " |B "...), [...]string{"Plant-", "Meat-"}[food]...), int64(y), 10)
	for c := byte('C'); c <= 'L'; c++ {
		b = strconv.AppendInt(append(b, ' ', '|', c, ' ', c), int64(rng.IntN(10001)), 10)
	}
	return append(b, '\n')
}
