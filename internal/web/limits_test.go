package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// far is the server's end of a connection from an address.
type far struct {
	net.Conn
	from net.Addr
}

func (f far) RemoteAddr() net.Addr { return f.from }

// dial returns a client's connection that sends text.
func (p *pipes) dial(from, text string) net.Conn {
	client, server := net.Pipe()
	p.conns <- far{server, &net.TCPAddr{IP: net.ParseIP(from)}}
	if text != "" { // a pipe lets one write at a time, and who waits for it stops the virtual time
		go func() { _, _ = io.WriteString(client, text) }()
	}
	return client
}

// within runs do with a server of s and handler in virtual time.
func within(t *testing.T, s func() *conns, handler http.HandlerFunc, do func(p *pipes, s *conns)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		limits := s()
		go func() {
			ended <- limits.serve(ctx, p, Server{Handler: handler, HTTP2: true, Logger: slog.New(slog.DiscardHandler)})
		}()
		do(p, limits)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if limits.open != 0 || len(limits.addresses) != 0 || limits.idle.Len() != 0 || limits.waiting.bytes != 0 || limits.waiting.order.Len() != 0 {
			t.Errorf("after the end %+v are left", limits)
		}
	})
}

// connsOf returns limits of so many connections.
func connsOf(most, mostByAddress, waitingBytes int) func() *conns {
	return func() *conns {
		s := publicConns()
		s.most, s.mostByAddress, s.waiting.most = most, mostByAddress, waitingBytes
		return s
	}
}

func publicConns() *conns { return newConns(Public, nil) }

// state is how many bytes wait, and how many connections are open.
func state(s *conns) (bytes, open int) {
	s.waiting.mu.Lock()
	defer s.waiting.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting.bytes, s.open
}

// lives says whether the server keeps a connection, on which it has nothing to say.
func lives(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(time.Nanosecond))
	_, err := c.Read(make([]byte, 1))
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

// length answers the length of the body, or the error of reading it.
func length(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		Refuse(w, http.StatusBadRequest, "", err)
		return
	}
	WriteJSON(w, http.StatusOK, fmt.Append(nil, len(b)))
}

func post(length int, sent string) string {
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: clickloop\r\nContent-Length: %d\r\n\r\n%s", length, sent)
}

// ask sends a request and returns the status of its answer, 0 for none.
func ask(c net.Conn, text string) int {
	go func() { _, _ = io.WriteString(c, text) }()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func TestABodyThatDoesNotComeEndsItsConnection(t *testing.T) {
	within(t, publicConns, length, func(p *pipes, s *conns) {
		began := time.Now()
		c := p.dial("10.0.0.1", post(1_000_000, "{"))
		b, _ := io.ReadAll(c)
		if d := time.Since(began); d != bodyTime || !strings.HasPrefix(string(b), "HTTP/1.1 400") {
			t.Errorf("after %v: %q", d, b)
		}
	})
	unread := func(w http.ResponseWriter, r *http.Request) { Refuse(w, http.StatusNotFound, "", io.EOF) }
	within(t, publicConns, unread, func(p *pipes, s *conns) {
		began := time.Now()
		c := p.dial("10.0.0.1", post(1000, "{"))
		_, _ = io.ReadAll(c)
		if d := time.Since(began); d > bodyTime {
			t.Errorf("a body that nobody reads holds its connection for %v", d)
		}
	})
}

func TestAnAnswerThatIsNotReadEndsItsConnection(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) { WriteJSON(w, http.StatusOK, make([]byte, 1<<20)) }
	within(t, publicConns, answer, func(p *pipes, s *conns) {
		c := p.dial("10.0.0.1", request(http.MethodGet))
		defer c.Close()
		if _, err := io.ReadFull(c, make([]byte, 8<<10)); err != nil { // then it stops
			t.Fatal(err)
		}
		time.Sleep(answerTime + answerByte<<20 - time.Second)
		synctest.Wait()
		if _, open := state(s); open != 1 {
			t.Errorf("%d connections before the deadline", open)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if _, open := state(s); open != 0 {
			t.Errorf("%d connections after the deadline", open)
		}
	})
}

// Deadlines are the client's: work takes the time that it takes.
func TestWorkHasNoDeadline(t *testing.T) {
	work := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		select {
		case <-time.After(10 * time.Minute):
			WriteJSON(w, http.StatusOK, []byte("done"))
		case <-r.Context().Done():
		}
	}
	within(t, publicConns, work, func(p *pipes, s *conns) {
		for _, text := range []string{post(2, "{}"), request(http.MethodGet)} {
			c := p.dial("10.0.0.1", "")
			if status := ask(c, text); status != 200 {
				t.Errorf("%.20q is answered %d", text, status)
			}
			c.Close()
		}
		// a client that asks before it sends is answered at once, which does not begin the time of
		// the answer to its request
		c := p.dial("10.0.0.1", "POST / HTTP/1.1\r\nHost: clickloop\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
		lines := bufio.NewReader(c)
		if line, _ := lines.ReadString('\n'); !strings.Contains(line, "100 Continue") {
			t.Errorf("%q", line)
		}
		_, _ = lines.ReadString('\n')
		_, _ = io.WriteString(c, "{}")
		if line, _ := lines.ReadString('\n'); !strings.Contains(line, "200 OK") {
			t.Errorf("%q", line)
		}
		c.Close()
	})
}

func TestLongHeadersAreRefused(t *testing.T) {
	within(t, publicConns, length, func(p *pipes, s *conns) {
		f := func(n, want int) {
			t.Helper()
			c := p.dial("10.0.0.1", "")
			if status := ask(c, "GET / HTTP/1.1\r\nHost: clickloop\r\nCookie: "+strings.Repeat("a", n)+"\r\n\r\n"); status != want {
				t.Errorf("%d bytes: status %d, want %d", n, status, want)
			}
			c.Close()
		}
		f(headerBytes-1000, 200)
		f(headerBytes+5000, 431)
		f(900_000, 431)
	})
}

func TestIdleConnectionsMakeRoomForNewOnes(t *testing.T) {
	within(t, connsOf(4, 3, waitingBytes), length, func(p *pipes, s *conns) {
		first, second, third := p.dial("10.0.0.1", ""), p.dial("10.0.0.2", ""), p.dial("10.0.0.3", "")
		defer second.Close()
		time.Sleep(time.Second)
		if ask(first, post(2, "{}")) != 200 { // it is not the longest idle one any more
			t.Error("no answer")
		}
		busy := p.dial("10.0.0.4", post(2, "{"))
		defer busy.Close()
		synctest.Wait()
		new := p.dial("10.0.0.5", "")
		synctest.Wait()
		if lives(second) || !lives(first) || !lives(third) || !lives(busy) || ask(new, post(2, "{}")) != 200 {
			t.Error("the longest idle connection should make room")
		}
	})
	within(t, connsOf(2, 2, waitingBytes), length, func(p *pipes, s *conns) {
		a, b := p.dial("10.0.0.1", post(2, "{")), p.dial("10.0.0.2", post(2, "{"))
		synctest.Wait()
		if c := p.dial("10.0.0.3", ""); lives(c) || !lives(a) || !lives(b) {
			t.Error("a new connection should be closed where none is idle")
		}
		a.Close()
		synctest.Wait()
		if c := p.dial("10.0.0.3", ""); ask(c, post(2, "{}")) != 200 {
			t.Error("a connection that ended makes no room")
		}
		b.Close()
	})
}

func TestOneAddressTakesItsOwnConnectionsOnly(t *testing.T) {
	within(t, connsOf(10, 2, waitingBytes), length, func(p *pipes, s *conns) {
		good := p.dial("10.0.0.9", "")
		good6 := p.dial("2001:db8:0:2::1", "")
		var many []net.Conn
		for i := range 8 {
			many = append(many, p.dial("10.0.0.1", ""), p.dial(fmt.Sprintf("2001:db8:0:1::%d", i+1), ""))
		}
		synctest.Wait()
		n := 0
		for _, c := range many {
			if lives(c) {
				n++
			}
			defer c.Close()
		}
		if n != 4 || ask(good, post(2, "{}")) != 200 || ask(good6, post(2, "{}")) != 200 {
			t.Errorf("%d connections of two addresses live, want 2 each, and those of others", n)
		}
	})
}

// Bytes that wait for slow clients are bounded: the longest waiting ones go, and nobody is refused.
func TestBodiesThatComeSlowlyAreBounded(t *testing.T) {
	within(t, connsOf(100, 100, 100_000), length, func(p *pipes, s *conns) {
		var slow []net.Conn
		for range 5 {
			slow = append(slow, p.dial("10.0.0.1", post(60_000, strings.Repeat(" ", 40_000))))
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if bytes, open := state(s); bytes > 100_000 || open != 2 {
			t.Errorf("%d bytes wait on %d connections", bytes, open)
		}
		good := p.dial("10.0.0.2", "")
		if status := ask(good, post(60_000, strings.Repeat(" ", 60_000))); status != 200 {
			t.Errorf("a body beside slow ones: status %d", status)
		}
		for _, c := range append(slow, good) {
			c.Close()
		}
	})
}

func TestOneThatIsAloneMayHoldMore(t *testing.T) {
	within(t, connsOf(100, 100, 10_000), length, func(p *pipes, s *conns) {
		c := p.dial("10.0.0.1", "")
		if status := ask(c, post(60_000, strings.Repeat(" ", 60_000))); status != 200 {
			t.Errorf("status %d", status)
		}
		c.Close()
	})
}

// The kernel takes what it takes of an answer; what is left is held by this process.
func TestAnswersThatNobodyReadsAreBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const size, most = 20 << 20, 50 << 20
	s := connsOf(100, 100, most)()
	answer := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			WriteJSON(w, http.StatusOK, make([]byte, size))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- s.serve(ctx, l, Server{Handler: http.HandlerFunc(answer), Logger: slog.New(slog.DiscardHandler)})
	}()
	var clients []net.Conn
	for range 10 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "GET /large HTTP/1.1\r\nHost: clickloop\r\n\r\n")
		clients = append(clients, c)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		bytes, open := state(s)
		if bytes > most {
			t.Fatalf("%d bytes wait for clients", bytes)
		}
		if bytes > size && open == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d bytes wait on %d connections", bytes, open)
		}
	}
	resp, err := http.Get("http://" + l.Addr().String() + "/")
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("beside answers that nobody reads: %v", err)
	} else {
		resp.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	for _, c := range clients {
		c.Close()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Else a client that still sends would lose the answer that refuses it.
func TestConnectionsCloseTheirHalves(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := listener{l, publicConns()}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	half, ok := server.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		t.Fatal("net/http cannot close the half of a connection")
	}
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client reads %v", err)
	}
	_, _ = client.Write([]byte("x"))
	b := make([]byte, 1)
	if _, err := server.Read(b); err != nil || b[0] != 'x' {
		t.Errorf("the server reads %q, %v", b, err)
	}
}

func TestConnectionsLeaveDescriptorsToOthers(t *testing.T) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Skip(err)
	}
	f := func(limit uint64, want, byAddress, wantAdmin int) {
		t.Helper()
		less := syscall.Rlimit{Cur: limit, Max: files.Max}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &less); err != nil {
			t.Skip(err)
		}
		s, admin := publicConns(), newConns(Admin, nil)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
			t.Fatal(err)
		}
		if s.most != want || s.mostByAddress != byAddress || admin.most != wantAdmin || admin.mostByAddress != wantAdmin {
			t.Errorf("of %d descriptors, %d are for connections, %d of them for one address, and %d for administrators", limit, s.most, s.mostByAddress, admin.most)
		}
	}
	f(200, 44, 22, 6)
	f(400, 126, 63, 18)
	f(1024, 448, 224, 64)
}

func TestRefusalsOfTheMomentSayWhenToComeAgain(t *testing.T) {
	f := func(status int, want string) {
		t.Helper()
		w := httptest.NewRecorder()
		Refuse(w, status, "busy", io.EOF)
		if got := w.Header().Get("Retry-After"); got != want {
			t.Errorf("%d: Retry-After %q, want %q", status, got, want)
		}
	}
	f(http.StatusTooManyRequests, "1")
	f(http.StatusServiceUnavailable, "1")
	f(http.StatusBadRequest, "")
	w := httptest.NewRecorder()
	w.Header().Set("Retry-After", "2")
	if Refuse(w, http.StatusServiceUnavailable, "", io.EOF); w.Header().Get("Retry-After") != "2" {
		t.Errorf("%v", w.Header())
	}
}
