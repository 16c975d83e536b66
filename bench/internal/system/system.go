// Package system starts what a measurement runs on: Kafka and Redis by scripts/services.sh, and
// `clickloop up` on both, in a folder of their own. It ends what it has started, and nothing else.
package system

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

// System is the services and the program that is measured.
type System struct {
	URL   string // of the public port, once Up has returned
	Admin string // of the other

	// Kafka and Redis are host:port of the services, empty where the embedded ones serve. A caller
	// may set them before Up, such as to a proxy of its own.
	Kafka, Redis string

	dir      string
	services string // the script; empty: none were started
	up       *exec.Cmd
	ended    chan error // what up's Wait returned, once
}

const (
	startMost = time.Minute // for up to serve
	endMost   = time.Minute // for up to end after SIGTERM, before it is killed
)

// New starts Kafka and Redis by a script such as scripts/services.sh. Without a script it starts
// neither, and Up uses the embedded ones.
func New(services string) (_ *System, err error) {
	s := &System{services: services}
	if s.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return nil, err
	}
	if services == "" {
		return s, nil
	}
	out, err := exec.Command(services, "start", s.File("services")).Output()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w: %s", services, err, stderr(err)), s.Stop())
	}
	at := variables(string(out))
	s.Kafka, s.Redis = at["KAFKA"], at["REDIS"]
	return s, nil
}

// File is the path of a file in the system's folder.
func (s *System) File(name string) string { return filepath.Join(s.dir, name) }

// Data is the folder of the embedded services' data.
func (s *System) Data() string { return s.File("data") }

// Write makes files in the system's folder, by name.
func (s *System) Write(files map[string]string) error {
	for name, text := range files {
		if err := os.WriteFile(s.File(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Up starts `binary up`, and returns when it serves. An empty config is that of the defaults. It
// may be called again once End has returned: the data is that of before.
func (s *System) Up(binary, config string) error {
	addresses := s.File("addresses")
	if err := os.Remove(addresses); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	args := []string{"up", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", s.Data(), "--addresses", addresses}
	for _, flag := range [][2]string{{"--config", config}, {"--kafka", s.Kafka}, {"--redis", s.Redis}} {
		if flag[1] != "" {
			args = append(args, flag[0], flag[1])
		}
	}
	up := exec.Command(binary, args...)
	up.Stderr = os.Stderr
	if err := up.Start(); err != nil {
		return err
	}
	s.up, s.ended = up, make(chan error, 1)
	go func() { s.ended <- up.Wait() }()
	return s.awaitAddresses(addresses)
}

// awaitAddresses waits for the file of `up --addresses`.
func (s *System) awaitAddresses(path string) error {
	for began := time.Now(); time.Since(began) < startMost; time.Sleep(50 * time.Millisecond) {
		b, _ := os.ReadFile(path) // not there yet
		if at := variables(string(b)); at["HTTP"] != "" {
			s.URL, s.Admin = "http://"+at["HTTP"], "http://"+at["ADMIN"]
			return nil
		}
		select {
		case err := <-s.ended:
			s.up = nil
			return fmt.Errorf("up ended before it served: %w", errors.Join(err, errors.New("see its log")))
		default:
		}
	}
	return fmt.Errorf("up did not start within %v", startMost)
}

// End sends SIGTERM and waits until the program has ended; an error says that it ended with another
// code than 0, or had to be killed. Without a program it does nothing.
func (s *System) End() error {
	if s.up == nil {
		return nil
	}
	up := s.up
	s.up = nil
	if err := up.Process.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(fmt.Errorf("up has ended by itself: %w", err), <-s.ended)
	}
	select {
	case err := <-s.ended:
		return err
	case <-time.After(endMost):
		err := up.Process.Kill()
		<-s.ended
		return errors.Join(fmt.Errorf("up did not end within %v", endMost), err)
	}
}

// Service gives the script a command, such as pause, for kafka or redis.
func (s *System) Service(command, name string) error {
	out, err := exec.Command(s.services, command, s.File("services"), name).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s %s: %w: %s", s.services, command, name, err, out)
	}
	return nil
}

// Stop ends the program and the services, and deletes the folder.
func (s *System) Stop() error {
	err := s.End()
	if s.services != "" {
		out, failed := exec.Command(s.services, "stop", s.File("services")).CombinedOutput()
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w: %s", s.services, failed, out))
		}
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// Metrics returns the lines of /metrics whose metric has one of the names and labels.
func (s *System) Metrics(names ...string) (lines []string, err error) {
	resp, err := http.Get(s.Admin + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	for line := range strings.Lines(string(text)) {
		for _, name := range names {
			if strings.HasPrefix(line, name+"{") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines, err
}

// Processor is the processor time that the program has used, by /proc; 0 where that is not there.
func (s *System) Processor() time.Duration {
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

// Resident is the resident memory of the program in bytes, by /proc; 0 where that is not there.
func (s *System) Resident() int64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.up.Process.Pid))
	if fields := strings.Fields(string(b)); len(fields) > 1 {
		pages, _ := strconv.ParseInt(fields[1], 10, 64)
		return pages * int64(os.Getpagesize())
	}
	return 0
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
