// Package spool keeps records in the files of a folder until they are settled, so that they outlive
// the process that appended them.
//
// A record is in the kernel's memory when Commit returns: it survives the death of the process by
// whatever signal. Nothing is synced, so a machine that crashes may lose the last half minute. The
// one invariant: a record is gone only after Settle, or it is counted as damaged.
package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// SegmentBytes is the size from which a segment takes no more records.
const SegmentBytes = 8 << 20

// ErrInUse is returned by Open for a folder that another process has open.
var ErrInUse = errors.New("another process uses it")

// Spool is an open folder. Begin, Add and Commit serve one goroutine at a time, and Settle another
// one at the same time.
type Spool struct {
	dir      string
	lock     *os.File // holds the lock while it is open
	position *os.File
	logger   *slog.Logger
	write    func(f *os.File, b []byte) (int, error) // tests make it fail

	place [positionBytes]byte // Settle's, for the position file
	buf   []byte              // records since Begin
	added int64

	mu       sync.Mutex
	segments []segment // oldest first; the last one is written when file is not nil
	file     *os.File
	size     int64 // of file, up to the last whole record
	next     int64 // number of the next record
	settled  int64 // records below are settled
	// numbers of recovered records that are not settled; where records were damaged, some are
	// missing between them
	recovered []int64
	fresh     int64 // number of the first record that this process appends
}

// segment is a file of records with rising numbers.
type segment struct {
	path string
	end  int64 // number behind its last record
}

// Found is what a folder held when it was opened.
type Found struct {
	Records [][]byte // not settled, in the order in which they were appended
	Damaged int      // records that were lost to damage; the log names their places
}

// Open opens the folder dir, which it makes for the owner alone, and returns what it holds. A
// record that was cut off at the end of a segment is cut away: its Commit has not returned.
// ErrInUse says that another process has the folder open.
func Open(dir string, logger *slog.Logger) (*Spool, *Found, error) {
	s := &Spool{dir: dir, logger: logger, write: (*os.File).Write}
	if err := s.open(); err != nil {
		return nil, nil, errors.Join(err, s.closeFiles())
	}
	found, err := s.recover()
	if err != nil {
		return nil, nil, errors.Join(err, s.closeFiles())
	}
	return s, found, nil
}

// open takes the lock.
func (s *Spool) open() (err error) {
	if err = os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if s.lock, err = os.OpenFile(filepath.Join(s.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err = syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrInUse
		}
		return fmt.Errorf("cannot lock %s: %w", s.dir, err)
	}
	if s.position, err = os.OpenFile(filepath.Join(s.dir, "position"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	return nil
}

// Begin begins the records of a Commit.
func (s *Spool) Begin() { s.buf, s.added = s.buf[:0], 0 }

// Add adds a record of at most maxRecord bytes, which Commit appends.
func (s *Spool) Add(record []byte) {
	s.buf = appendRecord(s.buf, s.next+s.added, record)
	s.added++
}

// Commit appends the records since Begin: all of them, or none when it returns an error, as for a
// disk that is full. Then it gives up the segment, so that its room is free once it is settled.
func (s *Spool) Commit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.commitLocked()
	if err == nil || s.size <= int64(len(segmentHeader)) {
		return err
	}
	s.endSegmentLocked()
	gone := s.takeSettledLocked()
	for _, g := range gone {
		s.remove(g)
	}
	if len(gone) > 0 {
		err = s.commitLocked()
	}
	return err
}

func (s *Spool) commitLocked() error {
	if s.file == nil || s.size >= SegmentBytes {
		if err := s.rotateLocked(); err != nil {
			return err
		}
	}
	n, err := s.write(s.file, s.buf)
	if err != nil {
		if n > 0 && s.file.Truncate(s.size) != nil {
			s.endSegmentLocked() // readers pass over its torn end
		}
		return err
	}
	s.size += int64(n)
	s.next += s.added
	s.segments[len(s.segments)-1].end = s.next
	if cap(s.buf) > keptBuffer {
		s.buf = nil
	}
	return nil
}

// keptBuffer is how many bytes of memory for records are used again.
const keptBuffer = 1 << 20

// rotateLocked begins a new segment.
func (s *Spool) rotateLocked() error {
	s.endSegmentLocked()
	path := filepath.Join(s.dir, segmentName(s.next))
	// a segment of this name has no whole record, since that would have the number next
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if _, err = s.write(f, []byte(segmentHeader)); err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	s.file, s.size = f, int64(len(segmentHeader))
	if n := len(s.segments); n == 0 || s.segments[n-1].path != path {
		s.segments = append(s.segments, segment{path, s.next})
	}
	return nil
}

// endSegmentLocked writes no more to the current segment.
func (s *Spool) endSegmentLocked() {
	if s.file != nil {
		_ = s.file.Close() // it holds nothing back: the kernel has what was written
		s.file = nil
	}
}

// Settle forgets the n oldest records. A segment is removed when all its records are settled,
// unless it may get more.
func (s *Spool) Settle(n int) {
	s.mu.Lock()
	s.advanceLocked(n)
	settled, gone := s.settled, s.takeSettledLocked()
	s.mu.Unlock()
	if err := writePosition(s.position, &s.place, settled); err != nil {
		s.logger.Error("cannot note what is settled: a restart hands it out again", "file", s.position.Name(), "err", err)
	}
	for _, g := range gone {
		s.remove(g)
	}
}

// takeSettledLocked returns the segments whose records are settled, and that get no more.
func (s *Spool) takeSettledLocked() (gone []segment) {
	for len(s.segments) > 0 && s.segments[0].end <= s.settled && (len(s.segments) > 1 || s.file == nil) {
		gone, s.segments = append(gone, s.segments[0]), s.segments[1:]
	}
	return gone
}

// advanceLocked moves settled behind n more records.
func (s *Spool) advanceLocked(n int) {
	if k := min(n, len(s.recovered)); k > 0 {
		s.settled = s.recovered[k-1] + 1
		s.recovered, n = s.recovered[k:], n-k
		if len(s.recovered) == 0 {
			s.settled = s.fresh
		}
	}
	s.settled += int64(n)
}

func (s *Spool) remove(g segment) {
	if err := os.Remove(g.path); err != nil {
		s.logger.Error("cannot remove a file whose records are settled", "file", g.path, "err", err)
	}
}

// Close removes the segments whose records are all settled, keeps the others, and gives the folder
// free.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endSegmentLocked()
	for _, g := range s.segments {
		if g.end <= s.settled {
			s.remove(g)
		}
	}
	s.segments = nil
	return s.closeFiles()
}

func (s *Spool) closeFiles() error {
	var err error
	for _, f := range []*os.File{s.position, s.lock} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// Check returns nil when a Spool could be opened in dir and written, or is open already. It leaves
// nothing behind: for a folder that is missing it looks whether it could be made.
func Check(dir string) error {
	_, err := os.Stat(dir)
	for errors.Is(err, os.ErrNotExist) && filepath.Dir(dir) != dir {
		dir = filepath.Dir(dir)
		_, err = os.Stat(dir)
	}
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "check")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}
