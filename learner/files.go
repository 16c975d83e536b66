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

// files are the checkpoints of a network on disk: the newest, and the one before.
type files struct {
	disk             disk
	newest, previous string
	// the newest could not be used: it must not replace the previous, which may be whole
	newestDamaged bool
}

// newFiles returns the files of a network in dir. It makes dir, and removes files that a killed
// process has not finished.
func newFiles(d disk, dir, objective string) (*files, error) {
	if err := d.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("cannot make the folder of checkpoints: %w", err)
	}
	newest := filepath.Join(dir, objective+".checkpoint")
	f := &files{disk: d, newest: newest, previous: newest + ".previous"}
	unfinished, err := d.Glob(newest + ".*.temporary")
	if err != nil {
		return nil, err
	}
	for _, path := range unfinished {
		if err := f.discard(path); err != nil {
			return nil, fmt.Errorf("cannot remove an unfinished checkpoint: %w", err)
		}
	}
	return f, nil
}

// write replaces the newest checkpoint. It writes and syncs a temporary file, makes the newest the
// previous and the temporary the newest, and syncs the folder. When the process is killed at any
// point, one of the two is whole. After an error, the newest from before is still there.
func (f *files) write(fill func(io.Writer) error) error {
	// a deposed learner that does not know it yet has another name
	temporary := fmt.Sprintf("%s.%d.temporary", f.newest, os.Getpid())
	if err := f.writeSynced(temporary, fill); err != nil {
		return errors.Join(fmt.Errorf("cannot write checkpoint %s: %w", temporary, err), f.discard(temporary))
	}
	if !f.newestDamaged {
		if err := f.disk.Rename(f.newest, f.previous); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(fmt.Errorf("cannot keep the previous checkpoint: %w", err), f.discard(temporary))
		}
	}
	if err := f.disk.Rename(temporary, f.newest); err != nil {
		return errors.Join(fmt.Errorf("cannot put checkpoint %s in its place: %w", f.newest, err), f.discard(temporary))
	}
	f.newestDamaged = false
	if err := f.disk.SyncDir(filepath.Dir(f.newest)); err != nil {
		return fmt.Errorf("cannot sync the folder of checkpoints: %w", err)
	}
	return nil
}

// discard removes an unfinished file, if there is one.
func (f *files) discard(path string) error {
	if err := f.disk.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (f *files) writeSynced(path string, fill func(io.Writer) error) error {
	if err := f.disk.MkdirAll(filepath.Dir(path)); err != nil { // it may have been deleted
		return err
	}
	file, err := f.disk.Create(path)
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

// found is a checkpoint on disk.
type found struct {
	position
	net  *model.Net // nil: none is whole
	path string
}

// read returns the newest checkpoint that is whole. problems are of files that cannot be used.
func (f *files) read() (c found, problems []error) {
	for _, path := range []string{f.newest, f.previous} {
		b, err := f.disk.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			if c.position, c.net, err = decodeCheckpoint(b); err == nil {
				c.path = path
				return c, problems
			}
		}
		f.newestDamaged = f.newestDamaged || path == f.newest
		problems = append(problems, fmt.Errorf("cannot use checkpoint %s: %w", path, err))
	}
	return found{}, problems
}
