package export

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// disk does what an export does to its folder. Every step can be the last one of the process:
// tests stop it at each.
type disk struct {
	dir  string             // of the topic
	step func(string) error // before each step; nil but in tests
}

func (d *disk) before(step string) error {
	if d.step == nil {
		return nil
	}
	return d.step(step)
}

func (d *disk) path(name string) string { return filepath.Join(d.dir, name) }

// stepWriter makes every write a step.
type stepWriter struct {
	disk *disk
	file *os.File
	n    int64
}

func (w *stepWriter) Write(b []byte) (int, error) {
	if err := w.disk.before("write"); err != nil {
		_, _ = w.file.Write(b[:len(b)/2])
		return 0, err
	}
	n, err := w.file.Write(b)
	w.n += int64(n)
	return n, err
}

// writeFile writes a file and makes it durable. It returns its size.
func (d *disk) writeFile(name string, write func(io.Writer) error) (int64, error) {
	if err := d.before("create"); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(d.path(name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	w := &stepWriter{disk: d, file: f}
	buffered := bufio.NewWriterSize(w, 256<<10)
	err = write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = d.before("sync")
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, d.explain(name, err)
	}
	return w.n, nil
}

// explain says what a full disk means for an export.
func (d *disk) explain(name string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("the disk is full: %w; nothing of this batch is in the export, so free space and run the command again: it goes on where it was", err)
	}
	return fmt.Errorf("cannot write %s: %w", d.path(name), err)
}

// replace writes a file whole or not at all: a reader sees the old one or the new one.
func (d *disk) replace(name string, write func(io.Writer) error) error {
	part := name + ".tmp"
	if _, err := d.writeFile(part, write); err != nil {
		return err
	}
	return d.rename(part, name)
}

// rename moves a file within the folder and makes that durable.
func (d *disk) rename(from, to string) error {
	if err := d.before("rename"); err != nil {
		return err
	}
	if err := os.Rename(d.path(from), d.path(to)); err != nil {
		return err
	}
	return d.syncFolder(filepath.Dir(to))
}

func (d *disk) syncFolder(name string) error {
	if err := d.before("sync folder"); err != nil {
		return err
	}
	f, err := os.Open(d.path(name))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// makeFolder makes a folder that is not there. The caller makes its name durable.
func (d *disk) makeFolder(name string) error {
	if _, err := os.Stat(d.path(name)); err == nil {
		return nil
	}
	if err := d.before("make folder"); err != nil {
		return err
	}
	if err := os.Mkdir(d.path(name), 0o755); err != nil {
		return d.explain(name, err)
	}
	return nil
}

// lock keeps other processes out of the folder until the file is closed, by a kill at the latest.
func (d *disk) lock(name string) (*os.File, error) {
	f, err := os.OpenFile(d.path(name), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another export writes into %s: wait for its end, or use another folder", d.dir)
		}
		return nil, fmt.Errorf("cannot lock %s: %w", d.path(name), err)
	}
	return f, nil
}
