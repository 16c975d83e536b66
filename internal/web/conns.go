package web

import (
	"container/list"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// conns are the open connections of a server, within a limit for all and one for each address. A
// connection is idle until the header of a request has come whole, and again once it is answered.
// At a limit the longest idle connection makes room for a new one; when none is idle, the new one
// is closed.
type conns struct {
	most, mostByAddress int
	waiting             waiting

	mu        sync.Mutex
	open      int
	idle      list.List // of *conn, the longest idle one first
	addresses map[netip.Prefix]*address
}

// address is a client's part of conns.
type address struct {
	open int
	idle list.List
}

// conn is one of conns.
type conn struct {
	net.Conn
	all  *conns
	from netip.Prefix

	// places in the lists of idle connections, nil while a request is at work; guarded by all.mu
	idle, idleThere *list.Element
	closed          bool
}

// mostConns is the limit where the system allows more.
const mostConns = 16 << 10

// newConns leaves half of the process's file descriptors to its connections to Kafka and Redis and
// to its files: 256 of them at least, unless the process has so few that clients get a quarter. One
// address has at most half of the server's connections, since all clients may come through one
// proxy.
func newConns() *conns {
	limit := syscall.Rlimit{Cur: 256} // where the system does not tell
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	files := int(min(limit.Cur, 4*mostConns))
	most := min(max(files-256, files/4), files/2, mostConns)
	return &conns{most: most, mostByAddress: (most + 1) / 2, waiting: waiting{most: waitingBytes}, addresses: map[netip.Prefix]*address{}}
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
		_ = old.Conn.Close()
	}
	if s.addresses[from] == nil {
		s.addresses[from] = &address{}
	}
	s.open++
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
	there := s.addresses[c.from]
	if there.open--; there.open == 0 {
		delete(s.addresses, c.from)
	}
}

// note follows the states that net/http gives a connection.
func (s *conns) note(c net.Conn, state http.ConnState) {
	if state == http.StateActive || state == http.StateIdle {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.setIdle(c.(*conn), state == http.StateIdle)
	}
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

// Write ends with an error when the client does not read in time, or when answers that wait longer
// than others take too much memory.
func (c *conn) Write(b []byte) (int, error) {
	// a connection that is closed says so when it is written to
	_ = c.SetWriteDeadline(time.Now().Add(answerTime))
	if len(b) > unwatchedBytes {
		h := held{conn: c}
		c.all.waiting.grow(&h, len(b))
		defer c.all.waiting.release(&h)
	}
	return c.Conn.Write(b)
}
