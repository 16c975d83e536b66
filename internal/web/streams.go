package web

import (
	"errors"
	"net/http"
	"time"
)

// Limits of a connection over HTTP/2. A stream is a request: it has the deadlines of one, and
// streams count like connections, within the same limits for all and for each address.
const (
	mostStreams  = 64       // of a connection
	streamBytes  = 64 << 10 // that a client may send of a body before the server has read them
	streamsBytes = 256 << 10
	pingAfter    = 30 * time.Second // of silence on a connection with streams
	pingTime     = 15 * time.Second // for its answer
)

// http2Config sets the limits.
func http2Config() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams: mostStreams, MaxReceiveBufferPerStream: streamBytes, MaxReceiveBufferPerConnection: streamsBytes,
		MaxReadFrameSize: 16 << 10, SendPingTimeout: pingAfter, PingTimeout: pingTime, WriteByteTimeout: answerTime,
	}
}

var errStreams = errors.New("too many requests are under way: send it again in a moment")

// openStream counts a stream of c, unless there are as many as there may be connections.
func (c *conn) openStream() bool {
	s := c.all
	s.mu.Lock()
	defer s.mu.Unlock()
	there := s.addresses[c.from]
	if c.closed || s.streams >= s.most || there.streams >= s.mostByAddress {
		return false
	}
	s.streams++
	there.streams++
	c.streams++
	return true
}

func (c *conn) closeStream() {
	s := c.all
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams--
	if c.streams--; !c.closed {
		s.addresses[c.from].streams--
	}
}

// stream is the deadlines of a request over HTTP/2; nil for one over HTTP/1, whose deadlines are
// those of its connection.
type stream struct{ *http.ResponseController }

func streamOf(w http.ResponseWriter, r *http.Request) *stream {
	if r.ProtoMajor < 2 {
		return nil
	}
	return &stream{http.NewResponseController(w)}
}

// answering gives the client time to read n bytes more.
func (s *stream) answering(n int) {
	if s != nil {
		_ = s.SetWriteDeadline(time.Now().Add(answerTime + time.Duration(n)*answerByte)) // net/http can
	}
}
