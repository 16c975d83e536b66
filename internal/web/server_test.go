package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipes is a listener within a bubble of virtual time.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// connect sends text and returns what the server answers until it closes the connection.
func (p *pipes) connect(text string) <-chan string {
	client, server := net.Pipe()
	answer := make(chan string, 1)
	go func() {
		defer client.Close()
		p.conns <- server
		_, _ = io.WriteString(client, text) // a server may close without reading
		b, _ := io.ReadAll(bufio.NewReader(client))
		answer <- string(b)
	}()
	return answer
}

func request(method string) string {
	return fmt.Sprintf("%s / HTTP/1.1\r\nHost: clickloop\r\nConnection: close\r\n\r\n", method)
}

// serve runs do with a server whose handler works for so long, or until its call ends. ended gives
// the error of Serve.
func serve(t *testing.T, work time.Duration, do func(p *pipes, stop func(), ended <-chan error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			text := "done"
			select {
			case <-time.After(work):
			case <-r.Context().Done():
				text = "ended"
			}
			WriteJSON(w, http.StatusOK, []byte(text))
		})
		ended := make(chan error, 1)
		go func() { ended <- Server{Handler: handler, Logger: slog.New(slog.DiscardHandler)}.Serve(ctx, p) }()
		do(p, cancel, ended)
	})
}

func body(answer string) string { return answer[max(0, len(answer)-len("ended")):] }

func TestAtTheEndGetsEndAtOnce(t *testing.T) {
	serve(t, time.Hour, func(p *pipes, stop func(), ended <-chan error) {
		answer := p.connect(request(http.MethodGet))
		time.Sleep(time.Minute)
		began := time.Now()
		stop()
		if got := body(<-answer); got != "ended" {
			t.Errorf("the call is answered %q", got)
		}
		if err := <-ended; err != nil || time.Since(began) > time.Second {
			t.Errorf("the server ended after %v: %v", time.Since(began), err)
		}
	})
}

func TestAtTheEndOtherCallsHaveThreeSeconds(t *testing.T) {
	f := func(work, end time.Duration, want string) {
		t.Helper()
		serve(t, work, func(p *pipes, stop func(), ended <-chan error) {
			answer := p.connect(request(http.MethodPost))
			synctest.Wait()
			began := time.Now()
			stop()
			if err := <-ended; err != nil || time.Since(began).Round(time.Second) != end {
				t.Errorf("a call of %v: the server ended after %v: %v", work, time.Since(began), err)
			}
			if got := body(<-answer); got != want {
				t.Errorf("a call of %v is answered %q, want %q", work, got, want)
			}
		})
	}
	f(2*time.Second, 2*time.Second, "\ndone")
	f(time.Hour, 3*time.Second, "")
}

func TestConnectionsThatSendNothingAreClosed(t *testing.T) {
	f := func(text string, end time.Duration) {
		t.Helper()
		serve(t, 0, func(p *pipes, stop func(), ended <-chan error) {
			began := time.Now()
			<-p.connect(text)
			if got := time.Since(began); got != end {
				t.Errorf("after %q the connection is closed after %v, want %v", text, got, end)
			}
			stop()
			<-ended
		})
	}
	f("", headerTime)
	f("GET / HTTP/1.1\r\nHost: click", headerTime)
	f("GET / HTTP/1.1\r\nHost: clickloop\r\n\r\n", idleTime)
}

// A client that keeps its connection may send at the moment at which the server is told to end. Its
// requests are answered, and it is asked to go; only then the server closes connections.
func TestAtTheEndClientsAreAskedToGo(t *testing.T) {
	serve(t, 0, func(p *pipes, stop func(), ended <-chan error) {
		client, server := net.Pipe()
		defer client.Close()
		p.conns <- server
		answers := bufio.NewReader(client)
		ask := func() (status int, closes bool) {
			t.Helper()
			if _, err := io.WriteString(client, "POST / HTTP/1.1\r\nHost: clickloop\r\nContent-Length: 0\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body) // it is short
			return resp.StatusCode, resp.Close
		}
		if status, closes := ask(); status != http.StatusOK || closes {
			t.Errorf("before the end: %d, to close: %v", status, closes)
		}
		stop()
		time.Sleep(quietTime / 2)
		if status, closes := ask(); status != http.StatusOK || !closes {
			t.Errorf("at the end: %d, to close: %v", status, closes)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A client that goes on sending does not keep a server from its end.
func TestAServerEndsAlthoughRequestsCome(t *testing.T) {
	serve(t, 0, func(p *pipes, stop func(), ended <-chan error) {
		client, server := net.Pipe() // one that is idle
		defer client.Close()
		p.conns <- server
		began := time.Now()
		stop()
		for time.Since(began) < endingTime {
			if answer := <-p.connect(request(http.MethodPost)); body(answer) == "" {
				t.Error("no answer")
			}
			time.Sleep(quietTime/5 + time.Millisecond)
		}
		_ = client.Close()
		err := <-ended
		if took := time.Since(began); err != nil || took < endingTime || took > endingTime+time.Second {
			t.Errorf("it ended after %v: %v", took, err)
		}
	})
}

// broken is a listener that fails.
type broken struct{ *pipes }

func (broken) Accept() (net.Conn, error) { return nil, errBroken }

var errBroken = errors.New("no more descriptors")

func TestTheErrorOfTheListenerEndsTheServer(t *testing.T) {
	l := broken{&pipes{done: make(chan struct{})}}
	if err := (Server{Handler: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler)}).Serve(t.Context(), l); !errors.Is(err, errBroken) {
		t.Errorf("the server ended with %v", err)
	}
}
