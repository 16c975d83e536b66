package learner

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// disk is what checkpoints ask of a file system. It is the seam at which tests stop the process,
// fill the disk, and lose what was not synced.
type disk interface {
	MkdirAll(dir string) error
	Glob(pattern string) ([]string, error)
	Create(path string) (diskFile, error)
	ReadFile(path string) ([]byte, error)
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(dir string) error // makes what was renamed and removed in dir outlast the loss of power
}

// diskFile is a file that is being written.
type diskFile interface {
	io.WriteCloser
	Sync() error
}

// osDisk is the system's.
type osDisk struct{}

func (osDisk) MkdirAll(dir string) error             { return os.MkdirAll(dir, 0o755) }
func (osDisk) Glob(pattern string) ([]string, error) { return filepath.Glob(pattern) }
func (osDisk) ReadFile(path string) ([]byte, error)  { return os.ReadFile(path) }
func (osDisk) Rename(from, to string) error          { return os.Rename(from, to) }
func (osDisk) Remove(path string) error              { return os.Remove(path) }

func (osDisk) Create(path string) (diskFile, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err // and no *os.File that is nil in an interface that is not
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
