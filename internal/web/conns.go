package web

import (
	"container/list"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// conns are the open connections of a server, within a limit for all and one for each address. A
// connection is idle until the header of a request has come whole, and again once it is answered.
// At a limit the longest idle connection makes room for a new one; when none is idle, the new one
// is closed.
type conns struct {
	port                Port
	metrics             *Metrics
	most, mostByAddress int
	waiting             waiting
	drain               drain

	mu        sync.Mutex
	open      int
	streams   int       // of HTTP/2
	idle      list.List // of *conn, the longest idle one first
	addresses map[netip.Prefix]*address
}

// address is a client's part of conns.
type address struct {
	open, streams int
	idle          list.List
}

// conn is one of conns.
type conn struct {
	net.Conn
	all  *conns
	from netip.Prefix

	// places in the lists of idle connections, nil while a request is at work; guarded by all.mu
	idle, idleThere *list.Element
	closed          bool
	streams         int // of HTTP/2 that are open

	// of the answer that is written: its bytes, and the time that writes have waited for the client
	sent, waited atomic.Int64
	late         atomic.Bool // it was not read in time
}

// Limits of both ports together, and of the admin port, where the system allows more.
const (
	mostConns = 16 << 10
	mostAdmin = 256
)

// newConns leaves half of the process's file descriptors to its connections to Kafka and Redis and
// to its files: 256 of them at least, unless the process has so few that clients get a quarter. An
// eighth of the rest, at most mostAdmin, is the admin port's. One address has at most half of the
// public port's connections, since all clients may come through one proxy. It may have all of the
// admin port's, since administrators come from this machine.
func newConns(port Port, m *Metrics) *conns {
	limit := syscall.Rlimit{Cur: 256} // where the system does not tell
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	files := int(min(limit.Cur, 4*mostConns))
	both := min(max(files-256, files/4), files/2, mostConns)
	admin := min(max(both/8, 1), mostAdmin)
	s := &conns{port: port, metrics: m, most: admin, mostByAddress: admin, waiting: waiting{most: adminWaitingBytes}, addresses: map[netip.Prefix]*address{}}
	if port != Admin {
		s.port, s.most, s.waiting.most = Public, both-admin, waitingBytes
		s.mostByAddress = (s.most + 1) / 2
	}
	return s
}

// listener accepts connections within the limits of its conns.
type listener struct {
	net.Listener
	conns *conns
}

// Accept returns the next connection for which there is room.
func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if admitted := l.conns.admit(c); admitted != nil {
			return admitted, nil
		}
		l.conns.metrics.close(l.conns.port, closedFull)
		_ = c.Close()
	}
}

// admit returns nil when there is no room for c.
func (s *conns) admit(c net.Conn) *conn {
	from := network(c.RemoteAddr())
	s.mu.Lock()
	defer s.mu.Unlock()
	var longest *list.Element
	if a := s.addresses[from]; a != nil && a.open >= s.mostByAddress {
		if longest = a.idle.Front(); longest == nil {
			return nil
		}
	} else if s.open >= s.most {
		if longest = s.idle.Front(); longest == nil {
			return nil
		}
	}
	if longest != nil {
		old := longest.Value.(*conn)
		s.remove(old)
		s.metrics.close(s.port, closedReplaced)
		_ = old.Conn.Close()
	}
	if s.addresses[from] == nil {
		s.addresses[from] = &address{}
	}
	s.open++
	s.metrics.opened(s.port, 1)
	s.addresses[from].open++
	admitted := &conn{Conn: c, all: s, from: from}
	s.setIdle(admitted, true)
	return admitted
}

// network is the address of a client, of IPv6 the network that its provider gives a customer.
func network(a net.Addr) netip.Prefix {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // no length of an address is wrong
	return p
}

// setIdle moves c into the lists of idle connections or out of them. The caller holds mu.
func (s *conns) setIdle(c *conn, idle bool) {
	there := s.addresses[c.from]
	switch {
	case c.closed || idle == (c.idle != nil):
	case idle:
		c.idle, c.idleThere = s.idle.PushBack(c), there.idle.PushBack(c)
	default:
		s.idle.Remove(c.idle)
		there.idle.Remove(c.idleThere)
		c.idle, c.idleThere = nil, nil
	}
}

// remove forgets a connection that is closed. The caller holds mu.
func (s *conns) remove(c *conn) {
	if c.closed {
		return
	}
	s.setIdle(c, false)
	c.closed = true
	s.open--
	s.metrics.opened(s.port, -1)
	there := s.addresses[c.from]
	there.streams -= c.streams
	if there.open--; there.open == 0 {
		delete(s.addresses, c.from)
	}
}

// note follows the states that net/http gives a connection.
func (s *conns) note(c net.Conn, state http.ConnState) {
	if state == http.StateActive || state == http.StateIdle {
		raw := rawOf(c)
		raw.sent.Store(0)
		raw.waited.Store(0)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.setIdle(raw, state == http.StateIdle)
	}
}

// rawOf returns the connection below TLS.
func rawOf(c net.Conn) *conn {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	return c.(*conn)
}

// Close makes room for another connection.
func (c *conn) Close() error {
	c.all.mu.Lock()
	c.all.remove(c)
	c.all.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite is for net/http: a client that still sends reads why it is refused before the
// connection is closed.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Read counts connections on which no request comes in time. While a request is at work, net/http
// ends its own reads by deadlines.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.all.mu.Lock()
		idle := c.idle != nil
		c.all.mu.Unlock()
		if idle {
			c.all.metrics.close(c.all.port, closedNoRequest)
		}
	}
	return n, err
}

// Write ends with an error when the client does not read in time. The time is that of the whole
// answer: answerTime, and more for a long one. Work between two writes does not count.
func (c *conn) Write(b []byte) (int, error) {
	allowed := answerTime + time.Duration(c.sent.Add(int64(len(b))))*answerByte - time.Duration(c.waited.Load())
	began := time.Now()
	_ = c.SetWriteDeadline(began.Add(allowed)) // a connection that is closed says so when it is written to
	n, err := c.Conn.Write(b)
	c.waited.Add(int64(time.Since(began)))
	if errors.Is(err, os.ErrDeadlineExceeded) && !c.late.Swap(true) {
		c.all.metrics.close(c.all.port, closedAnswer)
	}
	return n, err
}
