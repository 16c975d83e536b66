package main

import (
	"net"
	"sync"
	"time"
)

// proxy stands in front of a server, and can pause, delay or refuse what passes.
type proxy struct {
	server string // host:port

	mu      sync.Mutex
	gate    chan struct{} // closed: what passes is not paused
	delay   time.Duration // that everything is late, each way
	listens net.Listener  // nil: refused, or closed
	at      string        // where it listens
	open    map[net.Conn]struct{}
	all     sync.WaitGroup
}

// newProxy listens on a port of its own.
func newProxy(server string) (*proxy, error) {
	p := &proxy{server: server, gate: make(chan struct{}), open: map[net.Conn]struct{}{}, at: "127.0.0.1:0"}
	close(p.gate)
	return p, p.listen()
}

func (p *proxy) address() string { return p.at }

// listen listens on the port of before, if there was one.
func (p *proxy) listen() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listens != nil {
		return nil
	}
	l, err := net.Listen("tcp", p.at)
	if err != nil {
		return err
	}
	p.listens, p.at = l, l.Addr().String()
	p.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() { p.serve(c) })
		}
	})
	return nil
}

// serve passes on what comes over a connection, until one of both ends closes it.
func (p *proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	refused := p.listens == nil
	if !refused {
		p.open[client], p.open[server] = struct{}{}, struct{}{}
	}
	p.mu.Unlock()
	if !refused {
		var both sync.WaitGroup
		both.Go(func() { p.pass(client, server) })
		both.Go(func() { p.pass(server, client) })
		both.Wait()
	}
	p.mu.Lock()
	delete(p.open, client)
	delete(p.open, server)
	p.mu.Unlock()
	_, _ = client.Close(), server.Close()
}

// chunk is a piece of a stream.
type chunk struct {
	bytes []byte
	due   time.Time // when it is passed on
}

// pass copies one way. Reading does not wait for what is late: up to 4096 chunks are on their way,
// and more wait in the socket.
func (p *proxy) pass(to, from net.Conn) {
	const onTheWay = 4096
	way := make(chan chunk, onTheWay)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(way)
		for buffer := make([]byte, 64<<10); ; {
			n, err := from.Read(buffer)
			if n > 0 {
				way <- chunk{append([]byte(nil), buffer[:n]...), time.Now().Add(p.late())}
			}
			if err != nil {
				return
			}
		}
	})
	for c := range way {
		time.Sleep(time.Until(c.due))
		<-p.passes()
		if _, err := to.Write(c.bytes); err != nil {
			_ = from.Close() // so that reading ends
		}
	}
	reading.Wait()
	_, _ = to.Close(), from.Close()
}

func (p *proxy) late() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delay
}

func (p *proxy) passes() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gate
}

// pause holds what comes, both ways, until restore. Connections stay.
func (p *proxy) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate = make(chan struct{})
}

// slow delays what comes by 50 ms each way.
func (p *proxy) slow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = 50 * time.Millisecond
}

// refuse closes all connections, and refuses others.
func (p *proxy) refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listens != nil {
		_ = p.listens.Close()
		p.listens = nil
	}
	for c := range p.open {
		_ = c.Close()
	}
}

// restore ends what the others have begun; an error says that the port is taken.
func (p *proxy) restore() error {
	p.mu.Lock()
	p.delay = 0
	select {
	case <-p.gate:
	default:
		close(p.gate)
	}
	p.mu.Unlock()
	return p.listen()
}

// close ends everything.
func (p *proxy) close() error {
	err := p.restore()
	p.refuse()
	p.all.Wait()
	return err
}
