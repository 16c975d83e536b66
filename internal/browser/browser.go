// Package browser drives a headless Chromium in tests: it opens pages, runs JavaScript in them,
// presses keys, and takes down what went wrong. It speaks the DevTools protocol over a pair of
// pipes (--remote-debugging-pipe), so that it needs no port and no module.
//
// scripts/browser.sh installs what tests need and prints CLICKLOOP_TEST_BROWSER; without that
// variable tests with a browser are skipped.
package browser

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// callTime is how long one call to the browser may take.
const callTime = 90 * time.Second

// Browser is a running Chromium. One test at a time uses it.
type Browser struct {
	process *exec.Cmd
	in      io.WriteCloser // requests, each ended by a zero byte
	done    chan struct{}  // closed when the browser has closed its end

	mu      sync.Mutex
	next    int64
	waiting map[int64]chan answer
	pages   map[string]*Page // by session
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// message is what comes from the browser: an answer (ID) or an event (Method).
type message struct {
	ID      int64           `json:"id"`
	Session string          `json:"sessionId"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
	Result  json.RawMessage `json:"result"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// Start runs the browser until the end of the test. It skips the test where no browser is named.
func Start(t testing.TB) *Browser {
	t.Helper()
	program := os.Getenv("CLICKLOOP_TEST_BROWSER")
	if program == "" {
		t.Skip("CLICKLOOP_TEST_BROWSER names no browser: scripts/browser.sh prints one")
	}
	requests, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, answers, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	b := &Browser{in: in, done: make(chan struct{}), waiting: map[int64]chan answer{}, pages: map[string]*Page{}}
	b.process = exec.Command(program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--no-first-run", "--disable-gpu",
		"--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--user-data-dir="+t.TempDir())
	b.process.ExtraFiles = []*os.File{requests, answers} // the browser's descriptors 3 and 4
	var log strings.Builder
	b.process.Stderr = &log
	if err := b.process.Start(); err != nil {
		t.Fatalf("CLICKLOOP_TEST_BROWSER=%s: %v", program, err)
	}
	requests.Close()
	answers.Close()
	go b.read(out)
	t.Cleanup(func() {
		_, _ = b.call("", "Browser.close", nil)
		in.Close()
		_ = b.process.Wait() // it was told to end
		<-b.done
		out.Close()
		if t.Failed() {
			t.Logf("the browser's log: %.2000s", log.String())
		}
	})
	return b
}

// read hands out what comes until the browser closes its end.
func (b *Browser) read(out io.Reader) {
	defer close(b.done)
	r := bufio.NewReaderSize(out, 1<<20)
	for {
		line, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(line[:len(line)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		waiting, page := b.waiting[m.ID], b.pages[m.Session]
		delete(b.waiting, m.ID)
		b.mu.Unlock()
		if m.ID != 0 && waiting != nil {
			a := answer{Result: m.Result}
			if m.Error != nil {
				a.Error = &struct{ Message string }{m.Error.Message}
			}
			waiting <- a
		} else if page != nil {
			page.event(m.Method, m.Params)
		}
	}
}

// call asks the browser, or the page of a session, and waits for the answer.
func (b *Browser) call(session, method string, params any) (json.RawMessage, error) {
	if params == nil {
		params = struct{}{}
	}
	waiting := make(chan answer, 1)
	b.mu.Lock()
	b.next++
	id := b.next
	b.waiting[id] = waiting
	line, err := json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	if session != "" && err == nil {
		line, err = json.Marshal(map[string]any{"id": id, "method": method, "params": params, "sessionId": session})
	}
	if err == nil {
		_, err = b.in.Write(append(line, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("cannot ask the browser for %s: %w", method, err)
	}
	late := time.NewTimer(callTime)
	defer late.Stop()
	select {
	case a := <-waiting:
		if a.Error != nil {
			return nil, fmt.Errorf("%s: %s", method, a.Error.Message)
		}
		return a.Result, nil
	case <-b.done:
		return nil, errors.New(method + ": the browser has ended")
	case <-late.C:
		return nil, fmt.Errorf("%s: no answer within %v", method, callTime)
	}
}
