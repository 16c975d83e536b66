package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// system is the services and the program that is measured, in a folder of their own.
type system struct {
	dir      string
	url      string // of the public port
	admin    string // of the other
	services string // empty: none were started
	up       *exec.Cmd
}

// start returns when the program serves.
func start(o options) (_ *system, err error) {
	s := &system{}
	if s.dir, err = os.MkdirTemp("", "bench-bid-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	args := []string{"up", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", filepath.Join(s.dir, "data"), "--addresses", s.file("addresses"), "--config", s.file("clickloop.yaml")}
	if o.services != "" {
		s.services = o.services
		out, err := exec.Command(o.services, "start", s.file("services")).Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %s", o.services, err, stderr(err))
		}
		at := variables(string(out))
		args = append(args, "--kafka", at["KAFKA"], "--redis", at["REDIS"])
	}
	for name, text := range map[string]string{"clickloop.yaml": configuration, "campaigns.yaml": campaigns()} {
		if err := os.WriteFile(s.file(name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	s.up = exec.Command(o.binary, args...)
	s.up.Stderr = os.Stderr
	if err := s.up.Start(); err != nil {
		s.up = nil
		return nil, err
	}
	s.url, s.admin, err = s.addresses()
	return s, err
}

func (s *system) file(name string) string { return filepath.Join(s.dir, name) }

// addresses waits for the file of `up --addresses`.
func (s *system) addresses() (public, admin string, err error) {
	for range 600 {
		b, _ := os.ReadFile(s.file("addresses"))
		if at := variables(string(b)); at["HTTP"] != "" {
			return "http://" + at["HTTP"], "http://" + at["ADMIN"], nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return "", "", errors.New("up did not start within a minute")
}

// outcomes are the counters of what became of bid requests, and of the money that was asked for.
func (s *system) outcomes() (lines []string, err error) {
	resp, err := http.Get(s.admin + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	for line := range strings.Lines(string(text)) {
		for _, name := range []string{"clickloop_bidder_requests_total", "clickloop_bidder_reservations_total"} {
			if strings.HasPrefix(line, name+"{") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines, err
}

// variables reads lines of NAME=value.
func variables(text string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			all[name] = value
		}
	}
	return all
}

func stderr(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(exit.Stderr)
	}
	return ""
}

// watch runs the load of some requests, and prints what became of them all and what they cost.
func (s *system) watch(requests int, load func()) error {
	before := s.processor()
	load()
	used := s.processor() - before
	counted, err := s.outcomes()
	for _, line := range counted {
		fmt.Println(line)
	}
	fmt.Printf("processor time: %.2f ms a request, with all that goes on beside\n", ms(used)/float64(requests))
	return err
}

// processor is the processor time that the program has used, by /proc; 0 where that is not there.
func (s *system) processor() time.Duration {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.up.Process.Pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	const user, kernel, tick = 11, 12, 10 * time.Millisecond // fields behind the name
	var sum int64
	if fields := strings.Fields(rest); len(fields) > kernel {
		for _, f := range []string{fields[user], fields[kernel]} {
			n, _ := strconv.ParseInt(f, 10, 64)
			sum += n
		}
	}
	return time.Duration(sum) * tick
}

func (s *system) stop() (err error) {
	if s.up != nil {
		err = errors.Join(s.up.Process.Signal(syscall.SIGTERM), s.up.Wait())
	}
	if s.services != "" {
		out, failed := exec.Command(s.services, "stop", s.file("services")).CombinedOutput()
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w: %s", s.services, failed, out))
		}
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

const configuration = `objectives:
  - {name: click, trigger: impression, positive: click, window: 5s}
features:
  profiles:
    - {name: user.clicks_1h, entity: user, aggregate: count, event: click, window: 1h}
    - {name: user.pages_1h, entity: user, aggregate: count, event: page, window: 1h}
    - {entity: ad, aggregate: ratio, event: click, over: impression, window: 1d, prior: 0.01, weight: 100}
    - {entity: campaign, aggregate: ratio, event: click, over: impression, window: 1d, prior: 0.01, weight: 100}
bidding:
  campaigns: campaigns.yaml
  public_url: https://bid.example
`

// campaigns makes ten: the even ones have a creative of the size that is asked for. Of these five,
// three count how often users see them, and one spreads its budget over the day.
func campaigns() string {
	text := "advertisers:\n  - {id: shoes, domain: shoes.example, categories: [IAB18-3]}\ncampaigns:\n"
	for c := range 10 {
		w, h := 300, 250
		if c%2 == 1 {
			w, h = 970, 90
		}
		pacing := "asap"
		if c == 2 {
			pacing = "even"
		}
		text += fmt.Sprintf("  - id: c%d\n    advertiser: shoes\n    budget: {total: 1000000, daily: 100000, pacing: %s}\n    bid: {strategy: value, value: \"p.click * %.2f\", max_cpm: 20}\n",
			c, pacing, 0.2+0.05*float64(c))
		if c%4 == 0 {
			text += "    caps: [{impressions: 20, window: 24h}]\n"
		}
		text += fmt.Sprintf("    creatives: [{id: a%d, landing: \"https://shoes.example/%d\", secure: true, banner: {w: %d, h: %d, image: \"https://cdn.shoes.example/%d.png\"}}]\n", c, c, w, h, c)
	}
	return text
}
