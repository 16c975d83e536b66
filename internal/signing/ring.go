package signing

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// Ring holds the keys of a process and replaces them when their file changes.
type Ring struct {
	current atomic.Pointer[Keys]
	path    string // empty: the keys are no file's, and stay
	text    string // of the file, as it was last read
	logger  *slog.Logger
}

// Bounds of the file and of how long a change of it is not seen.
const (
	maxFile     = 64 << 10
	reloadEvery = time.Second
)

// Hold returns a Ring of secrets that stay, one a line. The error is that of Parse.
func Hold(secrets string) (*Ring, error) {
	keys, err := Parse(secrets)
	if err != nil {
		return nil, err
	}
	r := &Ring{}
	r.current.Store(keys)
	return r, nil
}

// Open returns a Ring of the secrets in a file, one a line. The error goes on from the name of a
// setting.
func Open(path string, logger *slog.Logger) (*Ring, error) {
	r := &Ring{path: path, logger: logger}
	text, regular, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	keys, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("is %q, which %w", path, err)
	}
	if r.text = text; !regular {
		r.path = "" // a pipe gives its content once
	}
	r.current.Store(keys)
	return r, nil
}

// Keys are the keys as they are now.
func (r *Ring) Keys() *Keys { return r.current.Load() }

// Run reads the file again each second until ctx ends. A file that cannot be read, or holds no
// keys, leaves the keys as they are, and is logged once.
func (r *Ring) Run(ctx context.Context) error {
	if r.path == "" {
		<-ctx.Done()
		return ctx.Err()
	}
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	fault := ""
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		err := r.reload()
		if err != nil && err.Error() != fault {
			r.logger.Error("the sign keys have changed and are no keys now: those of before go on signing and verifying", "file", r.path, "err", err)
		}
		if fault = ""; err != nil {
			fault = err.Error()
		}
	}
}

func (r *Ring) reload() error {
	text, regular, err := read(r.path)
	switch {
	case err != nil:
		return err
	case !regular:
		return fmt.Errorf("%s is no file any more", r.path)
	case text == r.text:
		return nil
	}
	keys, err := Parse(text)
	if err != nil {
		return fmt.Errorf("the file %w", err)
	}
	r.text = text
	r.current.Store(keys)
	r.logger.Info("the sign keys were read again", "file", r.path, "keys", len(keys.keys))
	return nil
}

// read reads a file and says whether it is a regular one.
func read(path string) (text string, regular bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", false, err
	}
	regular = info.Mode().IsRegular()
	f, err := os.Open(path)
	if err != nil {
		return "", regular, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes, want a secret a line", path, maxFile)
	}
	return string(b), regular, err
}
