package web

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Frames of HTTP/2 that tests send or look for, RFC 9113 section 6.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	framePing         = 0x6
	frameGoAway       = 0x7
	frameContinuation = 0x9

	endStream  = 0x1
	endHeaders = 0x4
)

// Fields of a header as RFC 7541 writes them, by the static table.
const (
	get    = "\x82\x86\x84\x41\x01x"
	posted = "\x83\x86\x84\x41\x01x"
)

func frame(kind, flags byte, stream uint32, payload string) string {
	b := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return string(binary.BigEndian.AppendUint32(b, stream)) + payload
}

// frames is a client over HTTP/2 that sends what it is told, and reads all the time.
type frames struct {
	net.Conn
	mu   sync.Mutex
	seen []seen
	end  time.Time // of the connection
}

type seen struct {
	kind    byte
	stream  uint32
	payload string
}

// dialFrames opens a connection; settings are the client's.
func dialFrames(p *pipes, from, settings string) *frames {
	f := &frames{Conn: p.dial(from, "")}
	go f.read()
	f.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(frameSettings, 0, 0, settings))
	return f
}

func (f *frames) send(text string) { _, _ = io.WriteString(f.Conn, text) }

func (f *frames) read() {
	head := make([]byte, 9)
	for {
		_, err := io.ReadFull(f.Conn, head)
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if err == nil {
			_, err = io.ReadFull(f.Conn, payload)
		}
		f.mu.Lock()
		if err != nil {
			f.end = time.Now()
			f.mu.Unlock()
			return
		}
		if head[3] == framePing && head[4] == 0 {
			go f.send(frame(framePing, 1, 0, string(payload)))
		}
		f.seen = append(f.seen, seen{head[3], binary.BigEndian.Uint32(head[5:]), string(payload)})
		f.mu.Unlock()
	}
}

// status is the status of a stream's answer as its header begins: 0x88 is 200, 0x8c 400, other ones
// are not in the static table. 0: none.
func (f *frames) status(stream uint32) byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.seen {
		if s.kind == frameHeaders && s.stream == stream {
			return s.payload[0]
		}
	}
	return 0
}

// count is how many frames of a kind came.
func (f *frames) count(kind byte) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.seen {
		if s.kind == kind {
			n++
		}
	}
	return n
}

func (f *frames) closed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.end.IsZero()
}

// A body that does not come ends its stream; the connection serves others meanwhile and afterwards.
func TestABodyThatDoesNotComeEndsItsStream(t *testing.T) {
	within(t, publicConns, length, func(p *pipes, s *conns) {
		c := dialFrames(p, "10.0.0.1", "")
		defer c.Close()
		c.send(frame(frameHeaders, endHeaders, 1, posted) + frame(frameData, 0, 1, "{"))
		time.Sleep(bodyTime - time.Second)
		c.send(frame(frameHeaders, endHeaders|endStream, 3, get))
		synctest.Wait()
		if c.status(1) != 0 || c.status(3) != 0x88 {
			t.Errorf("before the deadline: %#x, another stream %#x", c.status(1), c.status(3))
		}
		time.Sleep(2 * time.Second)
		c.send(frame(frameHeaders, endHeaders, 5, posted) + frame(frameData, endStream, 5, "{}"))
		synctest.Wait()
		if c.status(1) != 0x8c || c.status(5) != 0x88 || c.closed() {
			t.Errorf("after it: %#x, a further stream %#x, closed %v", c.status(1), c.status(5), c.closed())
		}
	})
}

// An answer for which the client opens no window ends its stream, and holds its memory no longer.
func TestAnAnswerWithoutAWindowEndsItsStream(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) { WriteJSON(w, http.StatusOK, make([]byte, 1<<20)) }
	within(t, publicConns, answer, func(p *pipes, s *conns) {
		c := dialFrames(p, "10.0.0.1", "\x00\x04\x00\x00\x00\x00") // an initial window of 0
		defer c.Close()
		c.send(frame(frameHeaders, endHeaders|endStream, 1, get))
		time.Sleep(answerTime + answerByte<<20 - time.Second)
		synctest.Wait()
		if held, _ := state(s); held != 1<<20 || c.count(frameReset) != 0 {
			t.Errorf("before the deadline %d bytes are held, %d streams reset", held, c.count(frameReset))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if held, _ := state(s); held != 0 || c.count(frameReset) != 1 {
			t.Errorf("after it %d bytes are held, %d streams reset", held, c.count(frameReset))
		}
	})
}

// A client that reads nothing at all loses its connection.
func TestAConnectionThatIsNotReadEnds(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) { WriteJSON(w, http.StatusOK, make([]byte, 100)) }
	within(t, publicConns, answer, func(p *pipes, s *conns) {
		c := p.dial("10.0.0.1", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+frame(frameSettings, 0, 0, "")+frame(frameHeaders, endHeaders|endStream, 1, get))
		defer c.Close()
		time.Sleep(2 * answerTime)
		synctest.Wait()
		if _, open := state(s); open != 0 {
			t.Errorf("%d connections are open", open)
		}
	})
}

// Streams are bounded as connections are, and a connection has some of them only.
func TestStreamsAreBounded(t *testing.T) {
	hold := make(chan struct{})
	work := func(w http.ResponseWriter, r *http.Request) {
		<-hold
		WriteJSON(w, http.StatusOK, []byte("{}"))
	}
	within(t, connsOf(5, 3, 1<<20), work, func(p *pipes, s *conns) {
		hold = make(chan struct{}) // of the bubble
		one, two := dialFrames(p, "10.0.0.1", ""), dialFrames(p, "10.0.0.2", "")
		defer one.Close()
		defer two.Close()
		for i := range uint32(4) {
			one.send(frame(frameHeaders, endHeaders|endStream, 2*i+1, get))
			synctest.Wait()
		}
		if got := one.status(7); got == 0 || got == 0x88 || one.status(5) != 0 {
			t.Errorf("the fourth stream of an address is answered %#x, want 503", got)
		}
		for i := range uint32(3) {
			two.send(frame(frameHeaders, endHeaders|endStream, 2*i+1, get))
			synctest.Wait()
		}
		if got := two.status(5); got == 0 || got == 0x88 || two.status(3) != 0 {
			t.Errorf("the sixth stream of all is answered %#x, want 503", got)
		}
		close(hold)
		synctest.Wait()
		one.send(frame(frameHeaders, endHeaders|endStream, 9, get))
		synctest.Wait()
		if one.status(5) != 0x88 || one.status(9) != 0x88 {
			t.Errorf("afterwards %#x, %#x", one.status(5), one.status(9))
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.streams != 0 {
			t.Errorf("%d streams are left", s.streams)
		}
	})
	within(t, publicConns, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, func(p *pipes, s *conns) {
		c := dialFrames(p, "10.0.0.1", "")
		defer c.Close()
		for i := range uint32(mostStreams) {
			c.send(frame(frameHeaders, endHeaders|endStream, 2*i+1, get))
		}
		synctest.Wait()
		if n := c.count(frameReset) + c.count(frameGoAway); n != 0 {
			t.Errorf("%d streams are refused", n)
		}
		c.send(frame(frameHeaders, endHeaders|endStream, 2*mostStreams+1, get))
		synctest.Wait()
		if n := c.count(frameReset) + c.count(frameGoAway); n != 1 {
			t.Errorf("%d streams of %d are refused, want 1", n, mostStreams+1)
		}
	})
}

// A client that opens and resets streams (CVE-2023-44487) has no more handlers than streams.
func TestStreamsThatAreResetAtOnceAreBounded(t *testing.T) {
	var running, most atomic.Int64
	slow := func(w http.ResponseWriter, r *http.Request) {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer running.Add(-1)
		time.Sleep(time.Second) // it does not look at its context
	}
	within(t, publicConns, slow, func(p *pipes, s *conns) {
		c := dialFrames(p, "10.0.0.1", "")
		defer c.Close()
		for i := range uint32(20_000) {
			c.send(frame(frameHeaders, endHeaders|endStream, 2*i+1, get) + frame(frameReset, 0, 2*i+1, "\x00\x00\x00\x08"))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if most.Load() > mostStreams || !c.closed() {
			t.Errorf("%d handlers at once, want at most %d; closed %v", most.Load(), mostStreams, c.closed())
		}
	})
}

// A header may be long in many frames neither (CVE-2023-45288), and one that stops ends its
// connection.
func TestHeadersInFramesAreBounded(t *testing.T) {
	within(t, publicConns, length, func(p *pipes, s *conns) {
		c := dialFrames(p, "10.0.0.1", "")
		defer c.Close()
		field := "\x00\x01a\x7f\x81\x7e" + strings.Repeat("b", 0x7f+0x3f01) // a literal of some 16,000 bytes
		c.send(frame(frameHeaders, endStream, 1, get))
		sent := 0
		for ; sent < 10_000 && !c.closed(); sent++ {
			c.send(frame(frameContinuation, 0, 1, field[:min(len(field), 16<<10)]))
		}
		synctest.Wait()
		if !c.closed() || sent > 1000 {
			t.Errorf("after %d frames the connection is closed: %v", sent, c.closed())
		}
	})
	within(t, publicConns, length, func(p *pipes, s *conns) {
		c := dialFrames(p, "10.0.0.1", "")
		defer c.Close()
		c.send(frame(frameHeaders, endStream, 1, get))
		time.Sleep(idleTime + time.Second)
		synctest.Wait()
		if !c.closed() {
			t.Error("half a header keeps its connection")
		}
	})
}

// Connections over HTTP/2 are idle without a stream, and make room then.
func TestIdleConnectionsOverHTTP2MakeRoom(t *testing.T) {
	hold := make(chan struct{})
	work := func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			<-hold
		}
		WriteJSON(w, http.StatusOK, []byte("{}"))
	}
	within(t, connsOf(2, 2, 1<<20), work, func(p *pipes, s *conns) {
		hold = make(chan struct{})
		busy, idle := dialFrames(p, "10.0.0.1", ""), dialFrames(p, "10.0.0.1", "")
		defer busy.Close()
		defer idle.Close()
		busy.send(frame(frameHeaders, endHeaders, 1, posted))
		idle.send(frame(frameHeaders, endHeaders|endStream, 1, get))
		synctest.Wait()
		next := dialFrames(p, "10.0.0.1", "")
		defer next.Close()
		next.send(frame(frameHeaders, endHeaders|endStream, 1, get))
		synctest.Wait()
		if busy.closed() || !idle.closed() || next.status(1) != 0x88 {
			t.Errorf("the busy one is closed: %v, the idle one: %v, the next is answered %#x", busy.closed(), idle.closed(), next.status(1))
		}
		close(hold)
	})
}

// A server that ends answers on, closes each connection behind its answer, and then ends once it is
// quiet.
func TestAServerThatEndsClosesConnectionsBehindTheirAnswers(t *testing.T) {
	serve(t, 0, func(p *pipes, stop func(), ended <-chan error) {
		kept := p.dial("10.0.0.1", "")
		if status := ask(kept, post(2, "{}")); status != 200 {
			t.Fatal(status)
		}
		framed := dialFrames(p, "10.0.0.2", "")
		framed.send(frame(frameHeaders, endHeaders|endStream, 1, get))
		synctest.Wait()
		began := time.Now()
		stop()
		synctest.Wait()
		go func() { _, _ = io.WriteString(kept, post(2, "{}")) }()
		b, _ := io.ReadAll(kept) // until it is closed
		if !bytes.HasPrefix(b, []byte("HTTP/1.1 200 OK")) || !bytes.Contains(b, []byte("Connection: close")) {
			t.Errorf("%q", b)
		}
		framed.send(frame(frameHeaders, endHeaders|endStream, 3, get))
		synctest.Wait()
		if framed.status(3) != 0x88 || framed.count(frameGoAway) == 0 {
			t.Errorf("over HTTP/2: %#x, %d frames say that it ends", framed.status(3), framed.count(frameGoAway))
		}
		if answer := <-p.connect(request(http.MethodPost)); !strings.Contains(answer, "200 OK") {
			t.Errorf("a new connection: %q", answer)
		}
		if err := <-ended; err != nil || time.Since(began) > 2*time.Second || time.Since(began) < quietTime {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		framed.Close()
		kept.Close()
	})
}

// Under load, the end waits for quiet only so long; a delay is kept in any case.
func TestTheEndWaitsForQuietAndForItsDelay(t *testing.T) {
	f := func(delay time.Duration, every time.Duration, least, most time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			var d drain
			d.last.Store(time.Now().UnixNano())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				for every > 0 && ctx.Err() == nil {
					time.Sleep(every)
					d.last.Store(time.Now().UnixNano())
				}
			}()
			began := time.Now()
			d.await(delay)
			if took := time.Since(began); took < least || took > most {
				t.Errorf("delay %v, a request each %v: %v, want %v to %v", delay, every, took, least, most)
			}
			cancel()
			time.Sleep(2 * every) // its goroutine ends
		})
	}
	f(0, 0, quietTime, quietTime)
	f(0, 10*time.Millisecond, drainTime, drainTime)
	f(5*time.Second, 0, 5*time.Second, 5*time.Second)
	f(5*time.Second, 10*time.Millisecond, 5*time.Second+drainTime, 5*time.Second+drainTime)
}
