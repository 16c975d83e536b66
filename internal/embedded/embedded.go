// Package embedded runs a Kafka broker (franz-go's kfake) and a Redis server (miniredis) inside the
// program, over real TCP. They are for demos, trials and tests.
//
// The broker keeps its log in a folder. The log survives kill -9, but not a loss of power. Redis
// keeps nothing, since stages rebuild its content from the log.
//
// Bounds keep both small while new users and ads come without end.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
)

// Config says where the services keep their data and listen.
type Config struct {
	Dir       string // empty: a temporary folder that Close removes
	KafkaPort int    // 0: 9092 if it is free, else any; -1: any free one
	RedisPort int    // 0: 6379 if it is free, else any; -1: any free one
	Logger    *slog.Logger
	NoKafka   bool // start no broker
	NoRedis   bool // start no Redis
	Bounds    Bounds
}

// Services are a running broker and a running Redis.
type Services struct {
	Kafka string // host:port
	Redis string // host:port

	cfg       Config
	temporary bool
	lock      *os.File
	mu        sync.Mutex
	cluster   *kfake.Cluster
	redis     *miniredis.Miniredis
	stopTTL   func()   // ends the clock of miniredis
	written   *written // nil: the keys of Redis have no bound
}

// ttlTick is how often miniredis learns how much time has passed. It sorts all keys then, while
// commands wait; with a clock of its own it would do so at every command. Keys live for hours.
const ttlTick = time.Minute

// Start runs both and returns when they accept connections.
func Start(cfg Config) (*Services, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Services{cfg: cfg}
	if cfg.Bounds.Keys > 0 {
		s.written = newWritten(cfg.Bounds.KindOf)
	}
	if cfg.Dir == "" {
		dir, err := os.MkdirTemp("", "clickloop-")
		if err != nil {
			return nil, fmt.Errorf("cannot make a temporary folder for the embedded services: %w", err)
		}
		s.cfg.Dir, s.temporary = dir, true
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// start takes the lock before any service opens a file in the folder.
func (s *Services) start() error {
	// The broker makes files that every user may read, and takes no other mode. So the process
	// takes these rights from all that it creates.
	syscall.Umask(0o077)
	dir := filepath.Join(s.cfg.Dir, "kafka")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of the embedded broker: %w", err)
	}
	var err error
	if s.lock, err = lockDir(s.cfg.Dir); err != nil {
		return err
	}
	if !s.cfg.NoKafka {
		if s.Kafka, err = chooseAddress(s.cfg.KafkaPort, 9092); err != nil {
			return err
		}
		if err := s.StartKafka(); err != nil {
			return err
		}
	}
	if s.cfg.NoRedis {
		return nil
	}
	if s.Redis, err = chooseAddress(s.cfg.RedisPort, 6379); err != nil {
		return err
	}
	return s.StartRedis()
}

// lockWait is how long to wait for a lock. A killed process holds its lock until the system has
// cleaned up after it.
const lockWait = 3 * time.Second

// lockDir makes this process the only user of dir. Two brokers would ruin one log.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the data folder: %w", err)
	}
	for until := time.Now().Add(lockWait); ; time.Sleep(20 * time.Millisecond) {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil || time.Now().After(until) {
			break
		}
	}
	if err != nil {
		holder, _ := os.ReadFile(path)
		_ = f.Close()
		return nil, fmt.Errorf("the data folder %s is in use by process %s: stop it, or give another --data folder", dir, strings.TrimSpace(string(holder)))
	}
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot write %s: %w", path, err), f.Close())
	}
	return f, nil
}

// chooseAddress returns the address of port want if that is free. For 0 it takes the usual port if
// that is free, else any free one; for -1 any free one.
func chooseAddress(want, usual int) (string, error) {
	switch {
	case want > 0 && !free(want):
		return "", fmt.Errorf("port %d is in use: give another one, or 0 for any", want)
	case want > 0:
		return local(want), nil
	case want == 0 && free(usual):
		return local(usual), nil
	}
	port, err := FreePort()
	return local(port), err
}

// local returns an address that only this machine reaches.
func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Free ports are chosen below 32768, where the range of outgoing connections begins. Within that
// range a connection could take the port before the server listens on it. Worse, a client that
// calls a stopped server could connect to itself, and keep the port from the restarting server.
const lowestPort, highestPort = 12000, 32000

// FreePort returns a port that no process listens on.
func FreePort() (int, error) {
	for range 1000 {
		if port := lowestPort + rand.IntN(highestPort-lowestPort); free(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("cannot find a free port from %d to %d", lowestPort, highestPort)
}

// free tells whether a port can be listened on now. Another process may take it before the service
// does; the service then returns the error.
func free(port int) bool {
	l, err := net.Listen("tcp", local(port))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

// StartKafka starts the broker, with the log of a stopped one, on its port.
func (s *Services) StartKafka() error {
	_, text, err := net.SplitHostPort(s.Kafka)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(filepath.Join(s.cfg.Dir, "kafka")),
		kfake.GroupMinSessionTimeout(100*time.Millisecond),
		kfake.BrokerConfigs(s.cfg.Bounds.brokerConfigs()))
	if err != nil {
		return fmt.Errorf("cannot start the embedded broker on port %d with the data in %s: %w", port, s.cfg.Dir, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cluster = cluster
	return nil
}

// StopKafka closes the broker and keeps its log.
func (s *Services) StopKafka() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cluster != nil {
		s.cluster.Close()
		s.cluster = nil
	}
}

// StartRedis starts an empty Redis on its port.
func (s *Services) StartRedis() error {
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr(s.Redis); err != nil {
		return fmt.Errorf("cannot start the embedded Redis on %s: %w", s.Redis, err)
	}
	if s.written != nil {
		m.Server().SetPreHook(s.written.note)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.redis, s.stopTTL = m, func() { cancel(); <-done }
	go func() {
		defer close(done)
		tick := time.NewTicker(ttlTick)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				m.FastForward(ttlTick)
			}
		}
	}()
	return nil
}

// StopRedis closes Redis and loses its content.
func (s *Services) StopRedis() {
	s.mu.Lock()
	m, stopTTL := s.redis, s.stopTTL
	s.redis = nil
	s.mu.Unlock()
	if m == nil {
		return
	}
	stopTTL()
	m.Close()
}

// FlushRedis empties Redis while it runs.
func (s *Services) FlushRedis() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.redis != nil {
		s.redis.FlushAll()
	}
}

// Close stops both and removes a temporary folder.
func (s *Services) Close() error {
	s.StopRedis()
	s.StopKafka()
	var err error
	if s.lock != nil {
		err = s.lock.Close()
		s.lock = nil
	}
	if s.temporary {
		err = errors.Join(err, os.RemoveAll(s.cfg.Dir))
	}
	return err
}
