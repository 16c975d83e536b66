package features

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"
)

// laneCount is how many connections read profiles: a long read on one holds up no read on another.
const laneCount = 4

// lanes read profiles from one Redis. They connect when the first read comes.
type lanes struct {
	door    *redisDoor
	network string
	address string
	db      int
	signIn  bool // with the door's credentials

	start sync.Once
	stop  context.CancelFunc
	ended sync.WaitGroup
	all   [laneCount]lane
}

func newLanes(door *redisDoor, o *redis.Options) *lanes {
	return &lanes{door: door, network: o.Network, address: o.Addr, db: o.DB, signIn: o.CredentialsProviderContext != nil, stop: func() {}}
}

// run starts the lanes.
func (l *lanes) run() {
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	for i := range l.all {
		l.all[i].dial = l.dial
		l.ended.Go(func() { l.all[i].run(ctx) })
	}
}

// close ends the lanes and every read on them.
func (l *lanes) close() {
	l.start.Do(func() { // never started: nothing can be read any more
		for i := range l.all {
			l.all[i].end()
		}
	})
	l.stop()
	l.ended.Wait()
}

// dial opens a connection that is ready for HGETALL.
func (l *lanes) dial(ctx context.Context) (net.Conn, error) {
	conn, err := l.door.dial(ctx, l.network, l.address)
	if err != nil {
		return nil, err
	}
	if err = l.greet(ctx, conn); err != nil {
		_ = conn.Close() // the reason why it is given up is err
		return nil, err
	}
	return conn, nil
}

// greet signs in and selects the database.
func (l *lanes) greet(ctx context.Context, conn net.Conn) error {
	var commands [][]string
	if l.signIn {
		user, password, err := l.door.credentials(ctx)
		if err != nil {
			return err
		}
		auth := []string{"AUTH", user, password}
		if user == "" {
			auth = []string{"AUTH", password}
		}
		commands = append(commands, auth)
	}
	if l.db != 0 {
		commands = append(commands, []string{"SELECT", strconv.Itoa(l.db)})
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	replies := replyReader{in: bufio.NewReader(conn)}
	for _, command := range commands {
		if _, err := conn.Write(appendCommand(nil, command)); err != nil {
			return err
		}
		if err := replies.ok(); err != nil {
			return err
		}
	}
	return nil
}

// appendCommand appends a command in RESP.
func appendCommand(b []byte, command []string) []byte {
	b = fmt.Appendf(b, "*%d\r\n", len(command))
	for _, word := range command {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(word), word)
	}
	return b
}

// read reads the profiles of keys under prefix into found, all of them in one round trip. When ctx
// ends first, the profiles that have not come are unknown, and the error is that of ctx.
func (l *lanes) read(ctx context.Context, prefix string, keys []string, found map[string]Profile) error {
	l.start.Do(l.run)
	var few [4]*lanedRead
	reads := few[:0]
	var err error
	for chunk := range slices.Chunk(keys, readChunk) {
		r := lanedReads.Get().(*lanedRead)
		r.begin(prefix, chunk)
		if err = l.quietest().send(r); err != nil {
			lanedReads.Put(r)
			break
		}
		reads = append(reads, r)
	}
	for _, key := range keys[min(len(reads)*readChunk, len(keys)):] {
		found[key] = Profile{unknown: true}
	}
	for i, r := range reads {
		e := r.wait(ctx, prefix, keys[i*readChunk:min((i+1)*readChunk, len(keys))], found)
		if err == nil || !errors.As(e, new(*KeyError)) && e != nil {
			err = e
		}
	}
	return err
}

// wait waits for the replies, until ctx ends, and adds what has come to found.
func (r *lanedRead) wait(ctx context.Context, prefix string, keys []string, found map[string]Profile) error {
	select {
	case <-r.done:
		err := r.collect(prefix, keys, found)
		lanedReads.Put(r)
		return err
	case <-ctx.Done():
		r.leave() // the lane keeps r until its replies have come
		_ = r.collect(prefix, keys, found)
		return ctx.Err()
	}
}

// quietest is the lane on which the least waits.
func (l *lanes) quietest() *lane {
	best, least := &l.all[0], l.all[0].load()
	for i := 1; i < len(l.all) && least > 0; i++ {
		if n := l.all[i].load(); n < least {
			best, least = &l.all[i], n
		}
	}
	return best
}

// collect adds what has come to found. A key without a profile is left out.
func (r *lanedRead) collect(prefix string, keys []string, found map[string]Profile) error {
	for i, key := range keys {
		switch {
		case i >= len(r.profiles):
			found[key] = Profile{unknown: true}
		case r.profiles[i].Fields != nil || r.profiles[i].unknown:
			found[key] = r.profiles[i]
		}
	}
	clear(r.profiles)
	if r.err == nil {
		return nil
	}
	if r.bad >= 0 && errors.As(r.err, new(replyError)) {
		return wrongType(r.err, prefix+keys[r.bad]+"}")
	}
	return r.err
}
