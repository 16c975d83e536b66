package learner

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// disk is what checkpoints need of a file system. Tests have their own: it kills the process, runs
// full, or loses what was not synced.
type disk interface {
	MkdirAll(dir string) error
	Glob(pattern string) ([]string, error)
	Create(path string) (diskFile, error)
	ReadFile(path string) ([]byte, error)
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(dir string) error // then renames and removals in dir outlast a loss of power
}

// diskFile is a file under way.
type diskFile interface {
	io.WriteCloser
	Sync() error
}

// osDisk is the file system of the operating system.
type osDisk struct{}

func (osDisk) MkdirAll(dir string) error             { return os.MkdirAll(dir, 0o700) }
func (osDisk) Glob(pattern string) ([]string, error) { return filepath.Glob(pattern) }
func (osDisk) ReadFile(path string) ([]byte, error)  { return os.ReadFile(path) }
func (osDisk) Rename(from, to string) error          { return os.Rename(from, to) }
func (osDisk) Remove(path string) error              { return os.Remove(path) }

func (osDisk) Create(path string) (diskFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err // f would make an interface that is not nil
	}
	return f, nil
}

func (osDisk) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
