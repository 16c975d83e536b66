package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// opened opens a folder, which is closed without Close when the test ends: as by kill -9.
func opened(t *testing.T, dir string) (*Spool, *Found, *bytes.Buffer) {
	t.Helper()
	var lines bytes.Buffer
	s, found, err := Open(dir, slog.New(slog.NewTextHandler(&lines, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(s) })
	return s, found, &lines
}

// kill leaves the files of s as a process does that is killed.
func kill(s *Spool) {
	s.endSegmentLocked()
	_ = s.closeFiles()
}

func commit(t *testing.T, s *Spool, records ...string) {
	t.Helper()
	s.Begin()
	for _, r := range records {
		s.Add([]byte(r))
	}
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, what string, f *Found, damaged int, records ...string) {
	t.Helper()
	var got []string
	for _, r := range f.Records {
		got = append(got, string(r))
	}
	if !slices.Equal(got, records) || f.Damaged != damaged {
		t.Errorf("%s: %.200q, %d damaged; want %.200q, %d", what, got, f.Damaged, records, damaged)
	}
}

// segmentOf returns the one segment of a folder.
func segmentOf(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%v are there, %v; want one segment", paths, err)
	}
	return paths[0]
}

func TestWhatIsNotSettledIsFoundAgain(t *testing.T) {
	dir := t.TempDir() + "/spool"
	s, found, _ := opened(t, dir)
	want(t, "a new folder", found, 0)
	commit(t, s, "a", "b")
	commit(t, s, "", "c")
	s.Settle(1)
	kill(s)
	s, found, _ = opened(t, dir)
	want(t, "after one is settled", found, 0, "b", "", "c")
	commit(t, s, "d")
	s.Settle(2)
	kill(s)
	s, found, _ = opened(t, dir)
	want(t, "after two more", found, 0, "c", "d")
	s.Settle(2)
	kill(s)
	s, found, _ = opened(t, dir)
	want(t, "after all", found, 0)
	commit(t, s, "e")
	s.Settle(1)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(dir + "/*" + segmentSuffix); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
}

// Only the last record may be missing, and only when some of its bytes are.
func TestATornTailIsCutAwayWhereverItIsTorn(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	commit(t, s, "first")
	path := segmentOf(t, dir)
	whole, _ := os.Stat(path)
	commit(t, s, "second")
	kill(s)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := int(whole.Size()); size < len(text); size++ {
		if err := os.WriteFile(path, text[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		s, found, lines := opened(t, dir)
		want(t, fmt.Sprint(size, " bytes"), found, 0, "first")
		if torn := size > int(whole.Size()); strings.Contains(lines.String(), "cut away") != torn {
			t.Errorf("%d bytes: the log has %s", size, lines)
		}
		if info, _ := os.Stat(path); info.Size() != whole.Size() {
			t.Errorf("%d bytes: the file has %d afterwards, want %d", size, info.Size(), whole.Size())
		}
		kill(s)
	}
}

// Whatever byte of a record is damaged, that record alone is lost. It is counted, and the log has
// its place.
func TestADamagedRecordIsLostAloneAndCounted(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	commit(t, s, "first", "second", "third")
	kill(s)
	path := segmentOf(t, dir)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	from := len(segmentHeader) + headBytes + len("first")
	for at := from; at < from+headBytes+len("second"); at++ {
		damaged := slices.Clone(text)
		damaged[at] ^= 0x55
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s, found, lines := opened(t, dir)
		want(t, fmt.Sprint("byte ", at), found, 1, "first", "third")
		if !strings.Contains(lines.String(), fmt.Sprintf("file=%s from=%d to=%d", path, from, from+headBytes+len("second"))) {
			t.Errorf("byte %d: the log does not name the place: %s", at, lines)
		}
		kill(s)
	}
}

// What is settled is told by numbers: records that are missing in between shift nothing.
func TestSettlingPassesOverWhatIsDamaged(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	commit(t, s, "0", "1", "2", "3", "4", "5")
	kill(s)
	path := segmentOf(t, dir)
	text, _ := os.ReadFile(path)
	for _, n := range []int{2, 3} {
		text[len(segmentHeader)+n*(headBytes+1)+headBytes] ^= 1
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s, found, _ := opened(t, dir)
	want(t, "damaged", found, 2, "0", "1", "4", "5")
	s.Settle(1)
	kill(s)
	s, found, _ = opened(t, dir)
	want(t, "after one", found, 2, "1", "4", "5")
	s.Settle(2)
	commit(t, s, "6")
	kill(s)
	s, found, _ = opened(t, dir)
	want(t, "after three", found, 0, "5", "6")
	s.Settle(2)
	commit(t, s, "7")
	kill(s)
	_, found, _ = opened(t, dir)
	want(t, "after all that was found", found, 0, "7")
}

func TestADamagedEndIsCountedWhenItIsWhole(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	commit(t, s, "first", "second")
	kill(s)
	path := segmentOf(t, dir)
	text, _ := os.ReadFile(path)
	text[len(text)-1] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s, found, _ := opened(t, dir)
	want(t, "damaged", found, 1, "first")
	commit(t, s, "third")
	s.Settle(1)
	kill(s)
	_, found, _ = opened(t, dir)
	want(t, "again", found, 0, "third")
}

// Without its position a spool hands out everything: a repeat is harmless, a loss is not.
func TestALostPositionRepeats(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	commit(t, s, "a", "b", "c")
	s.Settle(2)
	kill(s)
	for _, damage := range []func(path string) error{os.Remove, func(path string) error { return os.WriteFile(path, []byte("123456789012"), 0o600) }} {
		if err := damage(filepath.Join(dir, "position")); err != nil {
			t.Fatal(err)
		}
		s, found, _ := opened(t, dir)
		want(t, "without a position", found, 0, "a", "b", "c")
		kill(s)
	}
}

func TestTwoProcessesDoNotShareASpool(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	if _, _, err := Open(dir, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second one: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _, _ = opened(t, dir)
	commit(t, s, "a")
}

func TestASpoolIsItsOwnersAlone(t *testing.T) {
	dir := t.TempDir() + "/a/b"
	s, _, _ := opened(t, dir)
	commit(t, s, "a")
	err := filepath.WalkDir(filepath.Dir(dir), func(path string, d fs.DirEntry, _ error) error {
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

var errFull = errors.New("no space left on device")

// A disk that is full refuses whole commits, also when some bytes fit. What was there before and
// what comes afterwards stays whole.
func TestAFullDiskRefusesWholeCommits(t *testing.T) {
	for fits := range 60 {
		dir := t.TempDir()
		s, _, _ := opened(t, dir)
		commit(t, s, "before")
		write := s.write
		s.write = func(f *os.File, b []byte) (int, error) {
			n, _ := write(f, b[:min(fits, len(b)-1)])
			return n, errFull
		}
		for range 3 {
			s.Begin()
			s.Add([]byte("refused"))
			s.Add([]byte("refused too"))
			if err := s.Commit(); !errors.Is(err, errFull) {
				t.Fatalf("%d bytes fit: %v", fits, err)
			}
		}
		s.write = write
		commit(t, s, "after")
		kill(s)
		_, found, lines := opened(t, dir)
		want(t, fmt.Sprint(fits, " bytes fit"), found, 0, "before", "after")
		if lines.Len() > 0 {
			t.Errorf("%d bytes fit: the log has %s", fits, lines)
		}
	}
}

// A disk that the spool itself has filled has room again as soon as what fills it is settled.
func TestAFullDiskEndsWhenRecordsAreSettled(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	write := s.write
	s.write = func(f *os.File, b []byte) (int, error) {
		size := 0
		paths, _ := filepath.Glob(dir + "/*" + segmentSuffix)
		for _, path := range paths {
			if info, err := os.Stat(path); err == nil {
				size += int(info.Size())
			}
		}
		if fits := 1000 - size; fits < len(b) {
			n, _ := write(f, b[:max(fits, 0)])
			return n, errFull
		}
		return write(f, b)
	}
	var waiting []string
	refused, total := 0, 0
	for i := range 2000 {
		record := fmt.Sprint(i, strings.Repeat("x", i%90))
		s.Begin()
		s.Add([]byte(record))
		if err := s.Commit(); err == nil {
			waiting, total = append(waiting, record), total+1
			continue
		}
		if refused++; len(waiting) == 0 {
			t.Fatalf("record %d is refused although all are settled", i)
		}
		n := len(waiting)
		if i%2 == 0 {
			n = (n + 1) / 2
		}
		s.Settle(n)
		waiting = waiting[n:]
	}
	if refused == 0 || total < 1000 {
		t.Errorf("%d are refused, %d written", refused, total)
	}
	kill(s)
	_, found, _ := opened(t, dir)
	want(t, "at the end", found, 0, waiting...)
}

func TestAFullDiskRefusesASegment(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	write := s.write
	s.write = func(*os.File, []byte) (int, error) { return 0, errFull }
	s.Begin()
	s.Add([]byte("refused"))
	if err := s.Commit(); !errors.Is(err, errFull) {
		t.Fatal(err)
	}
	s.write = write
	commit(t, s, "after")
	kill(s)
	_, found, _ := opened(t, dir)
	want(t, "a full disk", found, 0, "after")
}

// The files have no more than what is not settled, and two segments.
func TestSegmentsGoWhenTheyAreSettled(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	record := strings.Repeat("x", 64<<10)
	most := int64(0)
	waiting := 0
	for range 1000 {
		commit(t, s, record)
		if waiting++; waiting == 20 {
			s.Settle(15)
			waiting -= 15
		}
		size := int64(0)
		paths, _ := filepath.Glob(dir + "/*" + segmentSuffix)
		for _, path := range paths {
			if info, err := os.Stat(path); err == nil {
				size += info.Size()
			}
		}
		most = max(most, size)
	}
	if limit := int64(20*len(record) + 2*SegmentBytes); most > limit || most < SegmentBytes {
		t.Errorf("the files had up to %d bytes, want at most %d", most, limit)
	}
}

func TestAFileOfAnotherKindIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, segmentName(0))
	text := []byte("something else altogether")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a segment of another form: %v", err)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, text) {
		t.Errorf("it is %q now", got)
	}
}

func TestCheckLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	if err := Check(dir + "/a/b"); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
	file := dir + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check(file + "/a"); err == nil {
		t.Error("a file is taken for a folder")
	}
}

// Commits, settlements, kills and torn ends at random: what is found is what was committed and not
// settled, in order.
func TestASpoolIsAQueue(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	s, _, _ := opened(t, dir)
	var queue []string
	for step := range 3000 {
		switch r.IntN(20) {
		default:
			var records []string
			for range 1 + r.IntN(3) {
				records = append(records, strings.Repeat(fmt.Sprint(step, "."), r.IntN(2000)))
			}
			commit(t, s, records...)
			queue = append(queue, records...)
		case 0, 1, 2, 3, 4, 5, 6:
			n := r.IntN(len(queue) + 1)
			s.Settle(n)
			queue = queue[n:]
		case 7:
			torn := s.file
			if torn != nil && r.IntN(2) == 0 { // a commit that does not return
				text := appendRecord(nil, s.next, []byte("torn"))
				_, _ = torn.Write(text[:1+r.IntN(len(text)-1)])
			}
			kill(s)
			var found *Found
			s, found, _ = opened(t, dir)
			want(t, fmt.Sprintf("seed %d, step %d", seed, step), found, 0, queue...)
			if t.Failed() {
				return
			}
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	s, _, err := Open(b.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	record := make([]byte, 700)
	b.ReportAllocs()
	for b.Loop() {
		s.Begin()
		s.Add(record)
		if err := s.Commit(); err != nil {
			b.Fatal(err)
		}
		s.Settle(1)
	}
	_ = s.Close()
}
