// Command sparse learns a stream whose ids never end, with tables of several sizes, with and
// without admission and expiry, and says what that costs in log loss and memory.
//
// A row has a user, a site of 2,000, an ad of 500 and an hour. Four in five users come once; the
// others are of a head of 200,000, the k-th as often as k^-0.8. Users, sites and ads add a number
// of their own, normal with deviation 1.2, 0.5 and 0.5, to a logit of -2.5: what can be learned of
// users is what the head teaches. With 6,250,000 rows there are 5 million users and more.
//
//	go run ./bench/sparse                      one run of the defaults
//	go run ./bench/sparse -sweep -svg FILE     all sizes, each in a process of its own, and a plot
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/internal/metrics"
	"github.com/clickloop/clickloop/model"
)

type run struct {
	Rows      int     `json:"rows"`
	TableBits int     `json:"table_bits"`
	Admission int     `json:"admission"`
	Expiry    int64   `json:"expiry"`
	Users     int64   `json:"users"`
	LogLoss   float64 `json:"log_loss"`
	Late      float64 `json:"log_loss_second_half"`
	Rate      float64 `json:"rows_per_second"`
	Tokens    int     `json:"tokens"`
	Expired   int64   `json:"expired"`
	Resident  []int   `json:"resident_mb"` // at each fifth of the rows
}

func main() {
	var r run
	seed := flag.Uint64("seed", 1, "of the stream")
	sweep := flag.Bool("sweep", false, "run all sizes")
	svg := flag.String("svg", "", "with -sweep: `file` for the plot")
	flag.IntVar(&r.Rows, "rows", 6_250_000, "of the stream")
	flag.IntVar(&r.TableBits, "bits", 20, "table_bits")
	flag.IntVar(&r.Admission, "admission", 1, "sightings before a token has a record")
	flag.Int64Var(&r.Expiry, "expiry", 0, "examples after which it loses it")
	flag.Parse()
	if !*sweep {
		if err := r.learn(*seed); err != nil {
			log.Fatal(err)
		}
		_ = json.NewEncoder(os.Stdout).Encode(r)
		return
	}
	if err := all(r.Rows, *seed, *svg); err != nil {
		log.Fatal(err)
	}
}

// all runs every size in a process of its own, so that memory is each run's.
func all(rows int, seed uint64, svg string) error {
	var plain, lives []run
	fmt.Println("| table_bits | records | log loss, all rows / second half | with admission 2 and expiry 1,000,000 | resident MB by fifths | with both |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, bits := range []int{12, 14, 16, 18, 20, 22, 23} {
		a, err := apart(rows, seed, bits, 1, 0)
		if err != nil {
			return err
		}
		b, err := apart(rows, seed, bits, 2, 1_000_000)
		if err != nil {
			return err
		}
		fmt.Printf("| %d | %d | %.5f / %.5f | %.5f / %.5f | %v | %v |\n", bits, 1<<bits, a.LogLoss, a.Late, b.LogLoss, b.Late, a.Resident, b.Resident)
		plain, lives = append(plain, a), append(lives, b)
	}
	if svg == "" {
		return nil
	}
	return os.WriteFile(svg, []byte(plot(plain, lives)), 0o644)
}

func apart(rows int, seed uint64, bits, admission int, expiry int64) (r run, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	out, err := exec.Command(self, "-rows", strconv.Itoa(rows), "-seed", strconv.FormatUint(seed, 10), "-bits", strconv.Itoa(bits),
		"-admission", strconv.Itoa(admission), "-expiry", strconv.FormatInt(expiry, 10)).Output()
	if err != nil {
		return r, fmt.Errorf("cannot learn with table_bits %d: %w", bits, err)
	}
	return r, json.Unmarshal(out, &r)
}

const (
	head  = 200_000
	sites = 2000
	ads   = 500
	batch = 1024
)

// own is what the i-th of a kind adds to the logit.
func own(kind, i uint64, deviation float64) float64 {
	r := rand.New(rand.NewPCG(kind, i))
	return r.NormFloat64() * deviation
}

func table(kind uint64, n int, deviation float64) []float64 {
	t := make([]float64, n)
	for i := range t {
		t[i] = own(kind, uint64(i), deviation)
	}
	return t
}

func (r *run) learn(seed uint64) error {
	cfg := model.DefaultConfig()
	cfg.TableBits, cfg.Admission, cfg.Expiry = r.TableBits, r.Admission, r.Expiry
	net, err := model.New(cfg)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(seed, 5))
	users, site, ad := table(1, head, 1.2), table(2, sites, 0.5), table(3, ads, 0.5)
	fields := [4]uint64{model.FieldHash("user"), model.FieldHash("site"), model.FieldHash("ad"), model.FieldHash("hour")}
	seen := make([]bool, head)
	xs, ys, ws, ps := make([][]model.Feature, batch), make([]float64, batch), make([]float64, batch), make([]float64, batch)
	for i := range xs {
		xs[i], ws[i] = make([]model.Feature, 4), 1
	}
	sum, late := metrics.New(), metrics.New()
	began, next := time.Now(), 1
	for at := 0; at < r.Rows; at += batch {
		n := min(batch, r.Rows-at)
		for i := range n {
			id, bias := uint64(head)+uint64(r.Users), 0.0
			if rng.IntN(5) == 0 { // of the head, by the inverse of the sum of k^-0.8
				k := min(int(math.Pow(rng.Float64(), 5)*head), head-1)
				if id, bias = uint64(k), users[k]; !seen[k] {
					seen[k] = true
					r.Users++
				}
			} else {
				r.Users++
				bias = rng.NormFloat64() * 1.2
			}
			s, a := rng.IntN(sites), rng.IntN(ads)
			for f, v := range [4]uint64{id, uint64(s), uint64(a), uint64(rng.IntN(24))} {
				xs[i][f] = model.Feature{Field: fields[f], Hash: (v + 1) * 0x9E3779B97F4A7C15, Value: 1}
			}
			ys[i] = 0
			if rng.Float64() < 1/(1+math.Exp(2.5-bias-site[s]-ad[a])) {
				ys[i] = 1
			}
		}
		if err := net.LearnBatch(xs[:n], ys[:n], ws[:n], ps[:n]); err != nil {
			return err
		}
		for i := range n {
			sum.Add(ps[i], ys[i], 1)
			if 2*at >= r.Rows {
				late.Add(ps[i], ys[i], 1)
			}
		}
		for ; 5*(at+n) >= next*r.Rows; next++ {
			r.Resident = append(r.Resident, resident())
		}
	}
	r.Rate = float64(r.Rows) / time.Since(began).Seconds()
	r.LogLoss, r.Late = sum.Result().LogLoss, late.Result().LogLoss
	o := net.Occupancy()
	r.Tokens, r.Expired = o.Tokens, o.Expired
	return nil
}

// resident is this process's memory in MB, 0 where the system does not tell.
func resident() int {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(b))[1])
	return pages * os.Getpagesize() >> 20
}
