package learner

import (
	"bytes"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"syscall"
)

// killed is what an operation panics with in the place of a kill -9.
type killed struct{}

// memoryDisk is a disk that forgets what was not synced when power is lost, and on which any
// operation can be the last one of a process or find no room.
type memoryDisk struct {
	rng     *rand.Rand
	names   map[string]*memoryFile // as processes see them
	durable map[string]*memoryFile // as they are after a loss of power
	pending []func(map[string]*memoryFile)

	count int            // operations so far
	steps map[string]int // by their name
	die   int            // the operation at which the process ends, from 1; 0: none
	after bool           // it ends when the operation is done, not before it
	full  func() bool    // nil: there is room
}

// memoryFile is a file's bytes; those up to synced outlast a loss of power.
type memoryFile struct {
	data   []byte
	synced int
}

func newMemoryDisk(rng *rand.Rand) *memoryDisk {
	return &memoryDisk{rng: rng, names: map[string]*memoryFile{}, durable: map[string]*memoryFile{}, steps: map[string]int{}}
}

// operation does one step of a process, unless the process ends there; half is what is done of it
// then, when it can be done by half.
func (d *memoryDisk) operation(name string, do, half func()) {
	d.count++
	if d.count != d.die {
		d.steps[name]++
		do()
		return
	}
	switch {
	case d.after:
		do()
	case half != nil:
		half()
	}
	panic(killed{})
}

// noRoom says that the disk is full.
func (d *memoryDisk) noRoom() error {
	if d.full != nil && d.full() {
		return syscall.ENOSPC
	}
	return nil
}

// rename changes the names that processes see at once, and those that last later.
func (d *memoryDisk) change(do func(map[string]*memoryFile)) {
	do(d.names)
	d.pending = append(d.pending, do)
}

// losePower leaves what was synced and, of what was not, as much as happened to be written.
func (d *memoryDisk) losePower() {
	for _, do := range d.pending[:d.rng.IntN(len(d.pending)+1)] {
		do(d.durable)
	}
	d.pending = nil
	for _, f := range d.durable {
		f.data = f.data[:f.synced+d.rng.IntN(len(f.data)-f.synced+1)]
		f.synced = len(f.data)
	}
	d.names = maps.Clone(d.durable)
}

func (d *memoryDisk) MkdirAll(string) error { return nil }

func (d *memoryDisk) Glob(pattern string) (found []string, err error) {
	for name := range d.names {
		if ok, err := path.Match(pattern, name); err != nil || ok {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found, err
}

func (d *memoryDisk) ReadFile(name string) ([]byte, error) {
	f, ok := d.names[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return bytes.Clone(f.data), nil
}

func (d *memoryDisk) Create(name string) (diskFile, error) {
	f := &memoryFile{}
	var err error
	d.operation("create", func() {
		if err = d.noRoom(); err == nil {
			d.change(func(names map[string]*memoryFile) { names[name] = f })
		}
	}, nil)
	if err != nil {
		return nil, err
	}
	return &memoryHandle{d, f}, nil
}

func (d *memoryDisk) Rename(from, to string) error {
	var err error
	d.operation("rename", func() {
		f, ok := d.names[from]
		switch {
		case !ok:
			err = fs.ErrNotExist
		default:
			if err = d.noRoom(); err == nil {
				d.change(func(names map[string]*memoryFile) {
					delete(names, from)
					names[to] = f
				})
			}
		}
	}, nil)
	return err
}

func (d *memoryDisk) Remove(name string) error {
	var err error
	d.operation("remove", func() {
		if _, ok := d.names[name]; !ok {
			err = fs.ErrNotExist
			return
		}
		d.change(func(names map[string]*memoryFile) { delete(names, name) })
	}, nil)
	return err
}

func (d *memoryDisk) SyncDir(string) error {
	var err error
	d.operation("sync folder", func() {
		if err = d.noRoom(); err == nil {
			d.durable, d.pending = maps.Clone(d.names), nil
		}
	}, nil)
	return err
}

// memoryHandle is an open file.
type memoryHandle struct {
	disk *memoryDisk
	file *memoryFile
}

func (h *memoryHandle) Write(b []byte) (n int, err error) {
	part := func() {
		n = h.disk.rng.IntN(len(b) + 1)
		h.file.data = append(h.file.data, b[:n]...)
	}
	h.disk.operation("write", func() {
		if err = h.disk.noRoom(); err != nil {
			part()
			return
		}
		n = len(b)
		h.file.data = append(h.file.data, b...)
	}, part)
	return n, err
}

func (h *memoryHandle) Sync() (err error) {
	h.disk.operation("sync", func() {
		if err = h.disk.noRoom(); err == nil {
			h.file.synced = len(h.file.data)
		}
	}, nil)
	return err
}

func (h *memoryHandle) Close() error {
	h.disk.operation("close", func() {}, nil)
	return nil
}
