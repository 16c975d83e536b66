package features

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// scripted is a Redis that answers as a test tells it: reply gets the number of the connection and
// of the command on it, from 1, and the key.
type scripted struct {
	address string
	opened  atomic.Int64
	asked   atomic.Int64
}

func newScripted(t *testing.T, reply func(connection, command int64, key string) string) *scripted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{address: l.Addr().String()}
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	t.Cleanup(func() { l.Close() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := s.opened.Add(1)
			all.Go(func() {
				defer c.Close()
				s.serve(c, func(command int64, key string) string { return reply(n, command, key) })
			})
		}
	})
	return s
}

func (s *scripted) serve(c net.Conn, reply func(command int64, key string) string) {
	in := bufio.NewReader(c)
	for n := int64(1); ; n++ {
		key := ""
		for range 5 { // of an array of two strings, the key is the last
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			key = strings.TrimSpace(line)
		}
		s.asked.Add(1)
		answer := reply(n, key)
		if answer == "" {
			return
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

const oneClick = "*2\r\n$6\r\nclicks\r\n$1\r\n7\r\n"

func servingStore(t *testing.T, address string) *Redis {
	t.Helper()
	client, err := DialRedis(RedisConfig{Address: address}, Serving)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return NewRedis(client, "t.", "profiles", 0)
}

// A read that ends early has what had come by then, and names the rest as unknown. Its connection
// goes on serving others, and what comes late is dropped.
func TestAReadThatEndsEarlyHasWhatHasCome(t *testing.T) {
	hold := make(chan struct{})
	var slow atomic.Bool
	slow.Store(true)
	s := newScripted(t, func(_, _ int64, key string) string {
		if key == "t.profiles:{ad:2}" && slow.Load() {
			<-hold
		}
		return oneClick
	})
	store := servingStore(t, s.address)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for s.asked.Load() < 2 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(10 * time.Millisecond) // for the first reply
		cancel()
	}()
	got, err := store.Read(ctx, []string{"ad:1", "ad:2", "ad:3"})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	first, second, third := got["ad:1"], got["ad:2"], got["ad:3"]
	if first.Fields["clicks"] != "7" || first.Unknown() || !second.Unknown() || !third.Unknown() {
		t.Fatalf("%+v", got)
	}
	opened := s.opened.Load()
	slow.Store(false)
	close(hold)
	for range 100 {
		got, err := store.Read(t.Context(), []string{"ad:1", "ad:2"})
		if err != nil || got["ad:2"].Fields["clicks"] != "7" {
			t.Fatal(got, err)
		}
	}
	if n := s.opened.Load(); n > max(opened, laneCount+idleConns) {
		t.Errorf("%d connections were opened, %d before", n, opened)
	}
}

// Reads beyond a pause of Redis open no further connection, and end with their contexts.
func TestAPausedRedisCostsNoConnections(t *testing.T) {
	hold := make(chan struct{})
	s := newScripted(t, func(_, _ int64, _ string) string { <-hold; return oneClick })
	store := servingStore(t, s.address)
	var all sync.WaitGroup
	for range 300 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if got, err := store.Read(ctx, []string{"ad:1"}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	all.Wait()
	close(hold)
	if _, err := store.Read(t.Context(), []string{"ad:1"}); err != nil {
		t.Error(err)
	}
	if n := s.opened.Load(); n > laneCount+idleConns {
		t.Errorf("%d connections, want at most %d", n, laneCount+idleConns)
	}
}

// A connection that ends under a read is opened again, and the read is sent once more, not for
// ever.
func TestAReadIsSentOnTwoConnectionsAtMost(t *testing.T) {
	var asked atomic.Int64
	s := newScripted(t, func(_, _ int64, _ string) string {
		if asked.Add(1)%2 == 1 {
			return "" // cuts the connection under the first try of every read
		}
		return oneClick
	})
	store := servingStore(t, s.address)
	for range 10 {
		if got, err := store.Read(t.Context(), []string{"ad:1"}); err != nil || got["ad:1"].Fields["clicks"] != "7" {
			t.Fatalf("%v, %v", got, err)
		}
	}
	if n := asked.Load(); n != 20 {
		t.Errorf("10 reads were sent %d times, want 20", n)
	}
	dead := newScripted(t, func(_, _ int64, _ string) string { return "" })
	if got, err := servingStore(t, dead.address).Read(t.Context(), []string{"ad:1"}); err == nil {
		t.Errorf("%v without an error", got)
	}
	if n := dead.asked.Load(); n != 2 {
		t.Errorf("it was sent %d times, want 2", n)
	}
}

func TestAnswersThatAreNoneEndTheConnection(t *testing.T) {
	for _, answer := range []string{"*1\r\n$1\r\na\r\n", "*x\r\n", "?\r\n", "\r\n", "*2\r\n$1\r\nab\r\n$1\r\nc\r\n", "*2\r\n$-1\r\n$1\r\nc\r\n",
		"*2\r\n$99999999999\r\n", "*2\r\n:1\r\n:2\r\n", strings.Repeat("*", 20<<10) + "\r\n"} {
		s := newScripted(t, func(_, _ int64, _ string) string { return answer })
		if got, err := servingStore(t, s.address).Read(t.Context(), []string{"ad:1"}); err == nil {
			t.Errorf("%.20q is read as %v", answer, got)
		}
	}
	// what nobody has asked for
	s := newScripted(t, func(_, _ int64, _ string) string { return oneClick + oneClick })
	store := servingStore(t, s.address)
	for range 20 {
		if got, err := store.Read(t.Context(), []string{"ad:1"}); err == nil && got["ad:1"].Fields["clicks"] != "7" {
			t.Fatal(got)
		}
	}
}

func TestACloseEndsEveryRead(t *testing.T) {
	hold := make(chan struct{})
	defer close(hold)
	s := newScripted(t, func(_, _ int64, _ string) string { <-hold; return "" })
	client, err := DialRedis(RedisConfig{Address: s.address}, Serving)
	if err != nil {
		t.Fatal(err)
	}
	store := NewRedis(client, "t.", "profiles", 0)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := store.Read(t.Context(), []string{"ad:1"}); err == nil {
				t.Error("no error")
			}
		})
	}
	for s.asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
	if _, err := store.Read(t.Context(), []string{"ad:1"}); !errors.Is(err, errLaneClosed) {
		t.Error(err)
	}
	idle, err := DialRedis(RedisConfig{Address: s.address}, Serving)
	if err != nil {
		t.Fatal(err)
	}
	idle.Close()
	if _, err := NewRedis(idle, "t.", "profiles", 0).Read(t.Context(), []string{"ad:1"}); !errors.Is(err, errLaneClosed) {
		t.Error(err)
	}
}

// Both ways to read give the same profiles, also of more keys than a chunk has, by many callers at
// once, with a password and another database.
func TestBothRolesReadTheSameProfiles(t *testing.T) {
	server := miniredis.RunT(t)
	server.RequireUserAuth("ann", "secret")
	file := passwordFile(t, "secret")
	cfg := RedisConfig{Address: "redis://" + server.Addr() + "/3", Username: "ann", PasswordFile: file}
	writing, err := DialRedis(cfg, Writing)
	if err != nil {
		t.Fatal(err)
	}
	defer writing.Close()
	serving, err := DialRedis(cfg, Serving)
	if err != nil {
		t.Fatal(err)
	}
	defer serving.Close()
	one, other := NewRedis(writing, "t.", "profiles", 0), NewRedis(serving, "t.", "profiles", 0)
	var batch []Update
	keys := []string{"ad:never"}
	for i := range 900 {
		keys = append(keys, fmt.Sprint("ad:", i))
		batch = append(batch, Update{Key: keys[i+1], Offset: int64(i), Ops: []Op{{Kind: OpAdd, Field: "n", Add: int64(i)}, {Kind: OpTile, Field: "c_1h", Tile: int64(i), Add: 2}}})
	}
	if err := one.Apply(t.Context(), 0, Position{"aaaa", 0, 900, testNow, ""}, batch); err != nil {
		t.Fatal(err)
	}
	server.DB(3).Del("t.profiles:{ad:7}")
	if err := server.DB(3).Set("t.profiles:{ad:7}", "no hash"); err != nil {
		t.Fatal(err)
	}
	server.DB(3).Del("t.profiles:{ad:8}")
	want, wantErr := one.Read(t.Context(), keys)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 10 {
				got, err := other.Read(t.Context(), keys)
				if fmt.Sprint(err) != fmt.Sprint(wantErr) || len(got) != len(want) {
					t.Errorf("%v, %d profiles, want %v, %d", err, len(got), wantErr, len(want))
					return
				}
				for key, p := range want {
					q := got[key]
					if fmt.Sprint(p.Fields) != fmt.Sprint(q.Fields) || p.Unknown() != q.Unknown() || fmt.Sprint(p.series) != fmt.Sprint(q.series) {
						t.Errorf("%s: %+v, want %+v", key, q, p)
					}
				}
			}
		})
	}
	all.Wait()
	if err := os.WriteFile(file, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused, err := DialRedis(cfg, Serving)
	if err != nil {
		t.Fatal(err)
	}
	defer refused.Close()
	_, err = NewRedis(refused, "t.", "profiles", 0).Read(t.Context(), keys)
	isFault(t, "a wrong password", err, "refuses the password of the user ann")
}

// FuzzReplies holds that no reply makes a reader panic, read beyond its input, or announce memory.
func FuzzReplies(f *testing.F) {
	f.Add([]byte(oneClick))
	f.Add([]byte("*4\r\n$4\r\n^a.0\r\n$1\r\n7\r\n$6\r\nc_1h:9\r\n$1\r\n7\r\n"))
	f.Add([]byte("-WRONGTYPE no hash\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := replyReader{in: bufio.NewReader(strings.NewReader(string(b)))}
		for {
			p, err := r.profile()
			var answered replyError
			if err != nil && !errors.As(err, &answered) {
				return
			}
			for name := range p.Fields {
				if reservedField(name) {
					t.Fatal(name)
				}
			}
		}
	})
}

// BenchmarkServing reads the profiles of one request as the scorer does; one operation is one
// request.
func BenchmarkServing(b *testing.B) {
	s := mustCompile(b, benchConfig)
	events := benchEvents(20000)
	server := os.Getenv("CLICKLOOP_TEST_REDIS")
	if server == "" {
		b.Skip("CLICKLOOP_TEST_REDIS names no Redis")
	}
	writing, err := DialRedis(RedisConfig{Address: server}, Writing)
	if err != nil {
		b.Fatal(err)
	}
	defer writing.Close()
	deletePrefix(b, writing.client, "bench.")
	foldAll(b, s, NewRedis(writing, "bench.", "profiles", 0), events)
	for _, role := range []Role{Writing, Serving} {
		client, err := DialRedis(RedisConfig{Address: server}, role)
		if err != nil {
			b.Fatal(err)
		}
		defer client.Close()
		store := NewRedis(client, "bench.", "profiles", 0)
		keys := s.Keys(nil, benchRequest(b))
		b.Run(fmt.Sprintf("role=%d", role), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if _, err := store.Read(b.Context(), keys); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
