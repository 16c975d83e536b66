package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clickloop/clickloop/bench/internal/load"
)

// What the requests of most cases ask for.
const (
	rate        = 300 // a second
	connections = 32
	candidates  = 10
	users       = 1000
	tmaxMs      = 20
	tmax        = tmaxMs * time.Millisecond
	margin      = 2 * time.Millisecond // beyond tmax, in which an answer comes
)

// requests are what the program is asked, again and again.
var requests = sync.OnceValue(func() load.Bodies { return load.Scores(4000, candidates, users, tmaxMs) })

// scores are requests for a time.
func (b *bench) scores(length time.Duration) *load.Load {
	return &load.Load{URL: b.system.URL + "/v1/score", Rate: rate, Connections: connections, Length: length, Body: requests().Body}
}

// answer is what became of a request.
type answer struct {
	due      time.Time
	took     time.Duration
	status   string // and the code of an error, such as "503 busy"
	features string // full, partial or missing
	logged   []string
}

// answers are those of a load, in the order in which requests were due.
type answers struct {
	all    []answer
	times  load.Times
	timers lateness
}

// collect sends a load and keeps its answers, while during runs. It returns the error of during.
func collect(ctx context.Context, l *load.Load, during func() error) (*answers, error) {
	got := &answers{}
	var mu sync.Mutex
	l.Answered = func(a load.Answer) {
		read := readAnswer(a)
		got.times.Add(read.status, a.Took)
		got.timers.add(a)
		mu.Lock()
		defer mu.Unlock()
		got.all = append(got.all, read)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var sending sync.WaitGroup
	sending.Go(func() { l.Run(ctx) })
	err := during()
	if err != nil {
		cancel()
	}
	sending.Wait()
	slices.SortFunc(got.all, func(a, b answer) int { return a.due.Compare(b.due) })
	return got, cmp.Or(err, ctx.Err())
}

// readAnswer reads what the cases look at.
func readAnswer(a load.Answer) answer {
	var body struct {
		Features    string
		Logged      bool
		Predictions []struct {
			Prediction string
			Chosen     bool
		}
		Error struct{ Code string }
	}
	read := answer{due: a.Due, took: a.Took, status: a.Status}
	if a.Err != nil {
		return read
	}
	if err := json.Unmarshal(a.Body, &body); err != nil {
		read.status = a.Status + " without JSON"
		return read
	}
	read.features = body.Features
	if a.Status != load.OK {
		code, _, _ := strings.Cut(a.Status, " ")
		read.status = code + " " + body.Error.Code
	}
	for _, p := range body.Predictions {
		if body.Logged && p.Chosen {
			read.logged = append(read.logged, p.Prediction)
		}
	}
	return read
}

// lateness is how late the timers of a load were: for how long a goroutine of this process waited
// for a processor. On a quiet machine it is far below a millisecond.
type lateness struct{ times load.Times }

func (l *lateness) add(a load.Answer) {
	if a.Late > 0 {
		l.times.Add("", a.Late)
	}
}

func (l *lateness) p99() time.Duration { return l.times.All().Quantile(.99) }

// allow is a limit of time and what the machine adds to it: an answer wakes a goroutine of the
// server, and one of the generator.
func (l *lateness) allow(most time.Duration) time.Duration { return most + 2*l.p99() }

// good are the answers that are 200. A refused one says nothing of profiles.
func (a *answers) good() (all []answer) {
	for _, one := range a.all {
		if one.status == load.OK {
			all = append(all, one)
		}
	}
	return all
}

// late is the share of the answers that came after a time.
func (a *answers) late(most time.Duration) float64 { return 1 - a.times.All().Within(most) }

// String tells how many answers came by status, and how long they took.
func (a *answers) String() string {
	t, without := a.times.All(), 0
	for _, one := range a.good() {
		if one.features != "full" {
			without++
		}
	}
	return fmt.Sprintf("%s; p50 %.2f ms, p99 %.2f, longest %.2f, %.2f%% after %v; %d without all profiles", counts(&a.times),
		load.Ms(t.Quantile(.5)), load.Ms(t.Quantile(.99)), load.Ms(t.Most()), 100*a.late(tmax+margin), tmax+margin, without)
}

// statuses returns an error where an answer is neither 200 nor one of the 503s that the reference
// states for a process that goes on.
func (a *answers) statuses() error {
	stated := []string{load.OK, "503 busy", "503 queue_full"}
	var wrong []error
	for _, status := range a.times.Kinds() {
		if !slices.Contains(stated, status) {
			wrong = append(wrong, fmt.Errorf("%d requests got %s", len(a.times.Of(status)), status))
		}
	}
	if len(a.all) == 0 {
		wrong = append(wrong, errors.New("nothing was answered"))
	}
	return errors.Join(wrong...)
}

// inTime returns an error where more than one in a thousand answers took longer than tmax, its
// margin, and the longest that one takes on this machine when nothing is broken: in the case calm,
// and before the fault and some time behind it.
func (a *answers) inTime(undisturbed *answers, began, ended time.Time) error {
	longest := undisturbed.times.All().Most()
	for _, one := range a.all {
		if one.due.Add(one.took).Before(began) || one.due.After(ended.Add(soon)) {
			longest = max(longest, one.took)
		}
	}
	most := tmax + margin + longest
	if share := a.late(most); share > 0.001 {
		return fmt.Errorf("%.2f%% of the answers took more than %.1f ms, which is tmax_ms, %v and the longest without a fault", 100*share, load.Ms(most), margin)
	}
	return nil
}

// again returns how long after a time things are good again: when the first of thirty in a row
// begins of which nine in ten are good, that one too. They are in order of time. One that is late
// on a busy machine does not count as a fault.
func again[T any](all []T, at func(T) time.Time, since time.Time, good func(T) bool) (time.Duration, error) {
	const row, least = 30, 27
	for i := range all {
		if at(all[i]).Before(since) || !good(all[i]) || i+row > len(all) {
			continue
		}
		n := 0
		for _, one := range all[i : i+row] {
			if good(one) {
				n++
			}
		}
		if n >= least {
			return at(all[i]).Sub(since), nil
		}
	}
	return 0, errors.New("never good again as long as requests were sent")
}

// within returns an error for what took longer than promised.
func within(what string, took, most time.Duration) error {
	if took > most {
		return fmt.Errorf("%s after %v, want %v", what, took.Round(time.Millisecond), most)
	}
	return nil
}

// calm sends requests while nothing is broken.
func (b *bench) calm(ctx context.Context) (string, error) {
	got, err := collect(ctx, b.scores(b.length), func() error { return nil })
	if err != nil {
		return "", err
	}
	b.undisturbed = got
	return got.String(), got.statuses()
}

// compared returns the answers to compare with, and measures them where that has not been done.
func (b *bench) compared(ctx context.Context) (*answers, error) {
	if b.undisturbed == nil {
		text, err := b.calm(ctx)
		if err := report("calm", text, err); err != nil {
			return nil, err
		}
	}
	return b.undisturbed, nil
}
