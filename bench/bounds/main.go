// Command bounds measures whether `clickloop up` stays small: it sends requests of users and ads
// that never come again, and prints resident memory and the size of the data folder as they go.
//
// It starts the given binary with embedded services in a folder of its own, and ends by itself. It
// exits with status 1 when the last third grows by more than 5%, or memory exceeds the limit.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/bench/internal/system"
)

func main() {
	binary := flag.String("binary", "bin/clickloop", "the program to measure")
	config := flag.String("config", "", "configuration file")
	rate := flag.Int("rate", 250, "requests a second")
	length := flag.Duration("for", 10*time.Minute, "how long")
	every := flag.Duration("every", 5*time.Second, "time between samples")
	limit := flag.Int64("mb", 600, "resident memory allowed, in MB")
	flag.Parse()
	if err := measure(*binary, *config, *rate, *length, *every, *limit); err != nil {
		log.Fatal(err)
	}
}

// sample is what was seen at one time.
type sample struct{ memory, disk int64 }

func measure(binary, config string, rate int, length, every time.Duration, limit int64) (err error) {
	loop, err := system.New("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loop.Stop()) }()
	if err := loop.Up(binary, config); err != nil {
		return err
	}
	load := newLoad(loop.URL, rate)
	defer load.stop()
	var seen []sample
	for began := time.Now(); time.Since(began) < length; {
		time.Sleep(every)
		s := sample{loop.Resident(), folder(loop.Data())}
		seen = append(seen, s)
		fmt.Printf("%5.0f s  %6d MB resident  %6d MB on disk  %7d requests  %d failed\n",
			time.Since(began).Seconds(), s.memory>>20, s.disk>>20, load.sent.Load(), load.failed.Load())
	}
	return judge(seen, limit)
}

// judge compares the last third with its beginning. A sample swings with the collector and with
// segments of the log, so the mean of each half of the third counts.
func judge(seen []sample, limit int64) error {
	third := seen[len(seen)*2/3:]
	if len(third) < 2 {
		return errors.New("too few samples: give a longer time")
	}
	memory := growth(third, func(s sample) int64 { return s.memory })
	disk := growth(third, func(s sample) int64 { return s.disk })
	most := int64(0)
	for _, s := range seen {
		most = max(most, s.memory>>20)
	}
	fmt.Printf("last third: memory %+.1f%%, disk %+.1f%%; at most %d MB resident\n", 100*memory, 100*disk, most)
	if memory > 0.05 || disk > 0.05 || most > limit {
		return errors.New("it grows, or is too large")
	}
	return nil
}

func growth(third []sample, of func(sample) int64) float64 {
	mean := func(part []sample) float64 {
		sum := int64(0)
		for _, s := range part {
			sum += of(s)
		}
		return float64(sum) / float64(len(part))
	}
	half := len(third) / 2
	return mean(third[half:])/mean(third[:half]) - 1
}

// load sends requests until it is stopped.
type load struct {
	sent, failed atomic.Int64
	done         chan struct{}
	senders      sync.WaitGroup
}

func newLoad(url string, rate int) *load {
	const senders = 16
	l := &load{done: make(chan struct{})}
	work := make(chan int64, senders)
	l.senders.Go(func() {
		defer close(work)
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for n := int64(0); ; n++ {
			select {
			case <-l.done:
				return
			case <-tick.C:
				work <- n
			}
		}
	})
	for range senders {
		l.senders.Go(func() {
			for n := range work {
				if err := request(url, n); err != nil {
					l.failed.Add(1)
				}
				l.sent.Add(1)
			}
		})
	}
	return l
}

func (l *load) stop() {
	close(l.done)
	l.senders.Wait()
}

// request scores a new ad for a new user, and reports its impression and, for one in ten, a click.
func request(url string, n int64) error {
	id := strconv.FormatInt(n, 10)
	err := post(url+"/v1/score", map[string]any{
		"request": "r" + id, "user": "u" + id,
		"candidates": []map[string]string{{"ad": "a" + id, "campaign": "c" + id}},
	})
	events := []map[string]string{{"type": "impression", "user": "u" + id, "ad": "a" + id, "campaign": "c" + id, "prediction": "r" + id + ".0"}}
	if n%10 == 0 {
		events = append(events, map[string]string{"type": "click", "user": "u" + id, "ad": "a" + id, "campaign": "c" + id, "prediction": "r" + id + ".0"})
	}
	return errors.Join(err, post(url+"/v1/events", events))
}

func post(url string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	resp, err := http.Post(url, "application/json", bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// folder returns the bytes of all files below dir.
func folder(dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // a segment was deleted meanwhile
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return nil
	})
	return sum
}
