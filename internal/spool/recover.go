package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// recovery reads the segments of a folder, oldest first.
type recovery struct {
	*Spool
	found    *Found
	expected int64 // number of the next record
}

// recover reads what was left, and cuts torn ends away. The next Commit begins a new segment.
func (s *Spool) recover() (*Found, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	var known bool
	if s.settled, known = readPosition(s.position); !known && len(names) > 0 {
		s.settled = firstOf(names[0])
	}
	r := &recovery{Spool: s, found: &Found{}, expected: s.settled}
	for _, name := range names {
		if err := r.readSegment(filepath.Join(s.dir, name)); err != nil {
			return nil, err
		}
	}
	s.next, s.fresh = r.expected, r.expected
	if len(s.recovered) == 0 {
		s.settled = s.fresh
	}
	return r.found, nil
}

// firstOf returns the number in a segment's name, 0 for a name of another form.
func firstOf(name string) int64 {
	n, err := strconv.ParseInt(strings.TrimSuffix(name, segmentSuffix), 16, 64)
	if err != nil {
		return 0
	}
	return n
}

// names returns the names of the segments, oldest first. Other files are left alone.
func (s *Spool) names() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), segmentSuffix) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names) // as the numbers in them: all have as many digits
	return names, nil
}

func (r *recovery) readSegment(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(b) > len(segmentHeader) && !bytes.HasPrefix(b, []byte(segmentHeader)) {
		return fmt.Errorf("%s is no segment of this version: move it away to start without it", path)
	}
	at, before := len(segmentHeader), r.expected
	for at < len(b) {
		record, number, size := recordAt(b[at:])
		if record != nil && (number >= r.expected || number < r.settled) {
			r.take(path, at, number, record)
			at += size
			continue
		}
		next := nextRecord(b, at+1, r.expected)
		if next < 0 {
			if err := r.readEnd(path, b, at, size); err != nil {
				return err
			}
			break
		}
		r.logger.Error("the spool is damaged: what lies between is lost", "file", path, "from", at, "to", next)
		at = next
	}
	if r.expected > before {
		r.segments = append(r.segments, segment{path, r.expected})
		return nil
	}
	return os.Remove(path) // nothing of it is left to settle
}

// take takes a record that is whole. The numbers tell how many before it are missing.
func (r *recovery) take(path string, at int, number int64, record []byte) {
	if number < r.settled {
		return
	}
	if missing := number - r.expected; missing > 0 {
		r.found.Damaged += int(missing)
		r.logger.Error("records of the spool are missing", "file", path, "before", at, "count", missing)
	}
	r.found.Records, r.recovered = append(r.found.Records, record), append(r.recovered, number)
	r.expected = number + 1
}

// nextRecord returns where the next whole record with a number from least on begins, or -1.
func nextRecord(b []byte, from int, least int64) int {
	mark := binary.LittleEndian.AppendUint32(nil, recordMark)
	for from < len(b) {
		i := bytes.Index(b[from:], mark)
		if i < 0 {
			return -1
		}
		if record, number, _ := recordAt(b[from+i:]); record != nil && number >= least {
			return from + i
		}
		from += i + 1
	}
	return -1
}

// readEnd cuts away what lies behind the last whole record of a segment: a record that was torn, or
// one that is whole in length, size bytes, and damaged.
func (r *recovery) readEnd(path string, b []byte, at, size int) error {
	if size > 0 && at+size == len(b) {
		r.found.Damaged++
		r.expected++
		r.logger.Error("the last record of a segment of the spool is damaged: it is lost", "file", path, "from", at, "to", len(b))
	} else {
		r.logger.Warn("a segment of the spool ends within a record, which is cut away", "file", path, "from", at, "to", len(b))
	}
	return os.Truncate(path, int64(at))
}
