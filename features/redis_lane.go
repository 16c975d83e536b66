package features

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// lane is one connection that reads profiles for many callers at once. The commands of reads that
// come together leave in one write, and replies come in the order of the commands (implicit
// pipelining). A caller that gives up leaves the lane at once: the replies are read and dropped
// when they come, and the connection goes on serving others. A lane connects again by itself, so
// that no caller waits for a dial while Redis is away.
//
// A lane has one goroutine, which dials and reads. Callers write, within laneWindow.
type lane struct {
	dial func(context.Context) (net.Conn, error) // also authenticates

	mu      sync.Mutex
	conn    net.Conn     // nil while there is none
	err     error        // why reads fail meanwhile; nil while an attempt may still succeed
	writing bool         // some goroutine writes
	text    []byte       // what it writes
	waiting []*lanedRead // the oldest first; those that are written stand before the others
	sent    int          // how many are written
	unread  int          // replies that are due for them
	queued  int          // commands of the others
	closed  bool
}

const (
	// laneWindow bounds the commands that are written and not answered, but for those of one read.
	// They fit the buffers of a socket, so no write blocks, however long Redis pauses.
	laneWindow = 256
	// laneQueue bounds the commands that wait for the window. A read that finds more is refused.
	laneQueue = 64 << 10
	// laneSilence ends a connection on which a reply is due and nothing comes.
	laneSilence = 3 * time.Second
	// laneRedial is the pause before the next attempt to connect, after one that failed or two
	// connections that ended within laneLasts each.
	laneRedial = 100 * time.Millisecond
	laneLasts  = time.Second
)

var (
	errLaneFull   = errors.New("too many reads wait for Redis")
	errLaneClosed = errors.New("the client of Redis is closed")
)

// lanedRead is one call of Read on a lane.
type lanedRead struct {
	commands int    // not answered
	tries    int    // connections that it was sent on
	text     []byte // the commands

	mu       sync.Mutex
	profiles []Profile // of the first keys, in their order
	bad      int       // index of a key that is no hash, -1 for none
	err      error     // the last error that Redis answered, or of the connection
	left     bool      // the caller has given up
	done     chan struct{}
}

var lanedReads = sync.Pool{New: func() any { return &lanedRead{done: make(chan struct{}, 1)} }}

// begin makes r ready for keys, whose commands appendHGetAll writes.
func (r *lanedRead) begin(prefix string, keys []string) {
	r.commands, r.tries, r.text, r.bad, r.err, r.left = len(keys), 0, r.text[:0], -1, nil, false
	r.profiles = slices.Grow(r.profiles[:0], len(keys))
	for _, key := range keys {
		r.text = appendHGetAll(r.text, prefix, key)
	}
}

// appendHGetAll appends the command that reads the profile of a key.
func appendHGetAll(b []byte, prefix, key string) []byte {
	b = append(b, "*2\r\n$7\r\nHGETALL\r\n$"...)
	b = strconv.AppendInt(b, int64(len(prefix)+len(key)+1), 10)
	b = append(append(append(b, "\r\n"...), prefix...), key...)
	return append(b, "}\r\n"...)
}

// take adds the next reply. It drops what nobody waits for.
func (r *lanedRead) take(p Profile, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commands--
	if r.left {
		return
	}
	if err != nil {
		r.err = err
		if wrongType(err, "") != err {
			r.bad = len(r.profiles)
		}
		p = Profile{unknown: true}
	}
	if r.profiles = append(r.profiles, p); r.commands == 0 {
		r.done <- struct{}{}
	}
}

// fail ends a read that gets no more replies.
func (r *lanedRead) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.left {
		r.err = err
		r.done <- struct{}{}
	}
}

// leave ends the caller's part in a read. Afterwards take changes nothing.
func (r *lanedRead) leave() {
	r.mu.Lock()
	r.left = true
	r.mu.Unlock()
}

// fresh says whether somebody waits for r and no reply has come: then it can be sent.
func (r *lanedRead) fresh() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.left && len(r.profiles) == 0
}

// load is how much waits on the lane, more on one that has no connection.
func (l *lane) load() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.queued + l.unread
	if l.conn == nil {
		n += laneWindow
	}
	return n
}

// send queues r and writes as much as the window allows. Without a connection it fails at once,
// unless the first attempt to connect is under way.
func (l *lane) send(r *lanedRead) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return errLaneClosed
	case l.conn == nil && l.err != nil:
		return l.err
	case l.queued > laneQueue:
		return errLaneFull
	}
	l.push(r)
	l.write()
	return nil
}

func (l *lane) push(r *lanedRead) {
	l.waiting = append(l.waiting, r)
	l.queued += r.commands
}

// write writes what is queued, as far as the window is open, unless somebody writes already. The
// caller holds mu, which write lets go of meanwhile.
func (l *lane) write() {
	for l.conn != nil && !l.writing && l.sent < len(l.waiting) && l.unread < laneWindow {
		conn, began := l.conn, l.unread == 0
		text := l.fill(l.text[:0])
		if len(text) == 0 {
			return
		}
		if began {
			_ = conn.SetReadDeadline(time.Now().Add(laneSilence)) // a broken one fails the write
		}
		l.writing = true
		l.mu.Unlock()
		_, err := conn.Write(text)
		l.mu.Lock()
		l.text, l.writing = text, false
		if err != nil {
			_ = conn.Close() // its reader finds out, and fails or repeats what waits
			if l.conn == conn {
				return
			}
		}
	}
}

// fill appends the commands that are to be written next. It forgets reads that nobody waits for.
func (l *lane) fill(text []byte) []byte {
	for l.sent < len(l.waiting) && l.unread < laneWindow {
		r := l.waiting[l.sent]
		l.queued -= r.commands
		if !r.fresh() {
			l.waiting = slices.Delete(l.waiting, l.sent, l.sent+1)
			continue
		}
		text = append(text, r.text...)
		l.unread += r.commands
		l.sent++
	}
	return text
}

// run keeps the lane connected until ctx ends.
func (l *lane) run(ctx context.Context) {
	defer l.end()
	for short := 0; ctx.Err() == nil; { // connections in a row that did not last
		bounded, cancel := context.WithTimeout(ctx, laneSilence)
		conn, err := l.dial(bounded)
		cancel()
		if err != nil {
			l.fail(err)
			sleep(ctx, laneRedial)
			continue
		}
		began := time.Now()
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		l.open(conn)
		err = l.read(conn)
		stop()
		_ = conn.Close() // err says why it is of no use
		if short++; time.Since(began) >= laneLasts {
			short = 0
		}
		if l.broke(err, short > 1) {
			sleep(ctx, laneRedial)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	pause := time.NewTimer(d)
	defer pause.Stop()
	select {
	case <-ctx.Done():
	case <-pause.C:
	}
}

// open begins to use a connection.
func (l *lane) open(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = conn.SetDeadline(time.Time{}) // of the dial; a broken one says so when it is used
	l.conn, l.err = conn, nil
	l.write()
}

// broke forgets a connection that has ended. Reads of which no reply has come are sent on the next
// one, which is opened at once: to read twice does no harm. A read is sent twice at most, and not
// again after a silence. broke says whether to pause before the next connection, since several were
// short and nothing waits for another.
func (l *lane) broke(err error, short bool) (pause bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	err = fmt.Errorf("the connection to Redis ended: %w", err)
	silent := l.unread > 0 && errors.Is(err, os.ErrDeadlineExceeded)
	waiting, sent := l.waiting, l.sent
	l.conn, l.waiting, l.sent, l.unread, l.queued = nil, nil, 0, 0, 0
	for i, r := range waiting {
		if i < sent {
			r.tries++
		}
		if silent || r.tries > 1 || !r.fresh() {
			r.fail(err)
			continue
		}
		l.push(r)
	}
	if pause = short && len(l.waiting) == 0; pause {
		l.err = err
	}
	return pause
}

// fail ends all reads that wait, and further ones until there is a connection.
func (l *lane) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	for _, r := range l.waiting {
		r.fail(err)
	}
	l.waiting, l.sent, l.unread, l.queued = nil, 0, 0, 0
}

// end ends all reads for good.
func (l *lane) end() {
	l.mu.Lock()
	l.closed, l.conn = true, nil
	l.mu.Unlock()
	l.fail(errLaneClosed)
}

// read takes replies until the connection ends.
func (l *lane) read(conn net.Conn) error {
	replies := replyReader{in: bufio.NewReaderSize(conn, 16<<10)}
	for {
		if replies.in.Buffered() == 0 {
			l.await(conn)
		}
		p, err := replies.profile()
		var answered replyError
		if err != nil && !errors.As(err, &answered) {
			return err
		}
		r := l.next()
		if r == nil {
			return errors.New("Redis answers what nobody has asked")
		}
		r.take(p, err)
	}
}

// await sets how long the connection may be silent, before its goroutine waits for the next reply.
func (l *lane) await(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	silence := time.Duration(laneSilence)
	if l.unread == 0 {
		silence = idleFor
	}
	_ = conn.SetReadDeadline(time.Now().Add(silence)) // a broken one fails the read
}

// next is the read that the next reply belongs to.
func (l *lane) next() *lanedRead {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sent == 0 {
		return nil
	}
	r := l.waiting[0]
	if l.unread--; r.commands == 1 { // only this goroutine changes it once it is written
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
		l.sent--
	}
	if l.unread < laneWindow/2 {
		l.write()
	}
	return r
}
