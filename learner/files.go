package learner

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/clickloop/clickloop/model"
)

// files are where an objective's checkpoints are: the newest, and the one before.
type files struct {
	disk             disk
	newest, previous string
	// the newest was read and is of no use: it must not take the place of the one before, which may
	// be whole
	useless bool
}

// newFiles returns the files of an objective in dir, which is made, and removes what a killed
// process left half-written.
func newFiles(d disk, dir, objective string) (*files, error) {
	if err := d.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("cannot make the folder of checkpoints: %w", err)
	}
	newest := filepath.Join(dir, objective+".checkpoint")
	left, err := d.Glob(newest + ".*.temporary")
	if err != nil {
		return nil, err
	}
	for _, path := range left {
		if err := d.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot remove an unfinished checkpoint: %w", err)
		}
	}
	return &files{disk: d, newest: newest, previous: newest + ".previous"}, nil
}

// write replaces the newest checkpoint: a temporary file is written and synced, the newest becomes
// the previous, the temporary the newest, and the folder is synced. Killed at any point, one of the
// two is whole. On an error what was there is still there.
func (f *files) write(fill func(io.Writer) error) error {
	// not shared with a deposed learner that does not know it yet
	temporary := fmt.Sprintf("%s.%d.temporary", f.newest, os.Getpid())
	if err := f.writeSynced(temporary, fill); err != nil {
		return errors.Join(fmt.Errorf("cannot write checkpoint %s: %w", temporary, err), f.discard(temporary))
	}
	if !f.useless {
		if err := f.disk.Rename(f.newest, f.previous); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(fmt.Errorf("cannot keep the previous checkpoint: %w", err), f.discard(temporary))
		}
	}
	if err := f.disk.Rename(temporary, f.newest); err != nil {
		return errors.Join(fmt.Errorf("cannot put checkpoint %s in its place: %w", f.newest, err), f.discard(temporary))
	}
	f.useless = false
	if err := f.disk.SyncDir(filepath.Dir(f.newest)); err != nil {
		return fmt.Errorf("cannot sync the folder of checkpoints: %w", err)
	}
	return nil
}

// discard removes a file that was not finished, if it is there.
func (f *files) discard(path string) error {
	if err := f.disk.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (f *files) writeSynced(path string, fill func(io.Writer) error) error {
	file, err := f.disk.Create(path)
	if errors.Is(err, fs.ErrNotExist) { // the folder was deleted meanwhile
		if err = f.disk.MkdirAll(filepath.Dir(path)); err == nil {
			file, err = f.disk.Create(path)
		}
	}
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, 256<<10)
	if err = fill(w); err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// found is a checkpoint that was read.
type found struct {
	position
	net  *model.Net // nil: none is whole
	from string     // its path
}

// read returns the newest checkpoint that is whole; problems tells of files that could not be used.
func (f *files) read() (c found, problems []error) {
	for _, path := range []string{f.newest, f.previous} {
		b, err := f.disk.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			if c.position, c.net, err = decodeCheckpoint(b); err == nil {
				c.from = path
				return c, problems
			}
		}
		f.useless = f.useless || path == f.newest
		problems = append(problems, fmt.Errorf("cannot use checkpoint %s: %w", path, err))
	}
	return found{}, problems
}
