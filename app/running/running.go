// Package running lets commands find a `clickloop up` that runs on this machine. up writes its
// addresses to a file in its data folder and to one in a folder of its user.
//
// The process holds a lock on each file while it lives. The lock, not the process number, tells a
// running process from a killed one: another process may have the number by now. The files hold no
// secret.
package running

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/clickloop/clickloop/event"
)

// Up is a running `clickloop up`.
type Up struct {
	PID           int               `json:"pid"`
	Started       time.Time         `json:"started"`
	HTTP          string            `json:"http"`
	Admin         string            `json:"admin"`
	HTTPS         bool              `json:"https"`       // HTTP speaks TLS
	AdminHTTPS    bool              `json:"admin_https"` // Admin speaks TLS
	Kafka         []string          `json:"kafka"`
	Redis         string            `json:"redis"` // without user and password
	Prefix        string            `json:"prefix"`
	Data          string            `json:"data,omitempty"` // empty: a temporary folder
	EmbeddedKafka bool              `json:"embedded_kafka"`
	EmbeddedRedis bool              `json:"embedded_redis"`
	Partitions    int               `json:"partitions"`
	Objectives    []event.Objective `json:"objectives"`
}

// File is the file's name in a data folder.
const File = "up.json"

// Announcement holds the files of a running process.
type Announcement struct{ files []announced }

// announced is a file with a lock that lasts while it is open.
type announced struct {
	path string
	file *os.File
}

// Announce writes the files of up. It returns an error when it can write none of them. The caller
// closes the Announcement when the process ends.
func Announce(up Up) (*Announcement, error) {
	text, err := json.MarshalIndent(up, "", "  ")
	if err != nil {
		return nil, err
	}
	a := &Announcement{}
	var faults []error
	var paths []string
	// the user's file comes first: a process that is found by its data folder is among All
	if dir, err := userDir(true); err != nil {
		faults = append(faults, err)
	} else {
		paths = append(paths, filepath.Join(dir, strconv.Itoa(up.PID)+".json"))
	}
	if up.Data != "" {
		paths = append(paths, filepath.Join(up.Data, File))
	}
	for _, path := range paths {
		f, err := write(path, append(text, '\n'))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		a.files = append(a.files, announced{path, f})
	}
	if len(a.files) == 0 {
		return nil, fmt.Errorf("other commands will not find it: %w", errors.Join(faults...))
	}
	return a, nil
}

// write creates the file at path in one step, with its lock.
func write(path string, text []byte) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	part := path + ".part" + strconv.Itoa(os.Getpid())
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(text)
	err = errors.Join(err, syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(part))
	}
	return f, nil
}

// Close removes the files that no other process has replaced, and releases the locks.
func (a *Announcement) Close() error {
	var err error
	for _, f := range a.files {
		if same(f.path, f.file) {
			err = errors.Join(err, os.Remove(f.path))
		}
		err = errors.Join(err, f.file.Close())
	}
	a.files = nil
	return err
}

// same tells whether the file at path is f: another process may have replaced it since.
func same(path string, f *os.File) bool {
	there, err := os.Lstat(path)
	if err != nil {
		return false
	}
	open, err := f.Stat()
	return err == nil && os.SameFile(there, open)
}

// In returns the `clickloop up` that runs with the data folder dir, or nil.
func In(dir string) *Up { return read(filepath.Join(dir, File)) }

// All returns the processes that run as this user, the oldest first.
func All() []Up {
	dir, err := userDir(false)
	if err != nil {
		return nil
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil
	}
	var all []Up
	for _, path := range paths {
		if up := read(path); up != nil {
			all = append(all, *up)
		}
	}
	slices.SortFunc(all, func(a, b Up) int { return a.Started.Compare(b.Started) })
	return all
}

// read returns the content of the file at path. When the file's process has ended, read removes the
// file and returns nil.
func read(path string) *Up {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil { // no process holds the lock
		if same(path, f) {
			_ = os.Remove(path) // fails in another user's folder: the file stays, and stays stale
		}
		return nil
	}
	var up Up
	if json.NewDecoder(f).Decode(&up) != nil || len(up.Kafka) == 0 {
		return nil
	}
	return &up
}

// userDir returns the folder for the files of this user's processes: in XDG_RUNTIME_DIR, which
// systems empty when the user logs out, or else in the temporary folder.
func userDir(create bool) (string, error) {
	dir := filepath.Join(os.TempDir(), "clickloop-"+strconv.Itoa(os.Getuid()))
	if base := os.Getenv("XDG_RUNTIME_DIR"); base != "" {
		dir = filepath.Join(base, "clickloop")
	}
	if create {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	// every user may write to the temporary folder
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(owner.Uid) != os.Getuid() {
		return "", fmt.Errorf("%s is not a folder of this user's", dir)
	}
	return dir, nil
}
