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
	newest, previous string

	// before is called before each step of write with its name; nil but in tests, which end the process, or the file, there.
	before func(step string)
}

// newFiles returns the files of an objective in dir, which is made, and removes what a killed process left half-written.
func newFiles(dir, objective string) (*files, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the folder of checkpoints: %w", err)
	}
	newest := filepath.Join(dir, objective+".checkpoint")
	left, err := filepath.Glob(newest + ".*.temporary")
	if err != nil {
		return nil, err
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot remove an unfinished checkpoint: %w", err)
		}
	}
	return &files{newest: newest, previous: newest + ".previous"}, nil
}

// write replaces the newest checkpoint: a temporary file is written and synced, the newest becomes the previous, the temporary the newest, and the
// folder is synced. Killed at any point, one of the two is whole. On an error what was there is still there.
func (f *files) write(fill func(io.Writer) error) error {
	temporary := fmt.Sprintf("%s.%d.temporary", f.newest, os.Getpid()) // not shared with a deposed learner that does not know it yet
	if err := f.writeSynced(temporary, fill); err != nil {
		return errors.Join(fmt.Errorf("cannot write checkpoint %s: %w", temporary, err), os.Remove(temporary))
	}
	f.step("keep")
	if err := os.Rename(f.newest, f.previous); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot keep the previous checkpoint: %w", err)
	}
	f.step("replace")
	if err := os.Rename(temporary, f.newest); err != nil {
		return fmt.Errorf("cannot put checkpoint %s in its place: %w", f.newest, err)
	}
	f.step("sync folder")
	if err := syncDir(filepath.Dir(f.newest)); err != nil {
		return fmt.Errorf("cannot sync the folder of checkpoints: %w", err)
	}
	f.step("done")
	return nil
}

func (f *files) step(name string) {
	if f.before != nil {
		f.before(name)
	}
}

func (f *files) writeSynced(path string, fill func(io.Writer) error) error {
	f.step("create")
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(stepping{file, f}, 256<<10)
	if err = fill(w); err == nil {
		err = w.Flush()
	}
	f.step("sync")
	return errors.Join(err, file.Sync(), file.Close())
}

// stepping is a file whose writes are steps.
type stepping struct {
	file  *os.File
	files *files
}

func (s stepping) Write(b []byte) (int, error) {
	half := len(b) / 2
	n, err := s.file.Write(b[:half])
	if err != nil {
		return n, err
	}
	s.files.step("write")
	m, err := s.file.Write(b[half:])
	return n + m, err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
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
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			if c.position, c.net, err = decodeCheckpoint(b); err == nil {
				c.from = path
				return c, problems
			}
		}
		problems = append(problems, fmt.Errorf("cannot use checkpoint %s: %w", path, err))
	}
	return found{}, problems
}
