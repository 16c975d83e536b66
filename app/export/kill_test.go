package export

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"
)

var errKilled = errors.New("killed")

// killAt ends the process, as far as the folder is concerned, before its n-th step.
func killAt(n int) func(string) error {
	return func(string) error {
		if n--; n < 0 {
			return errKilled
		}
		return nil
	}
}

// An export that is killed before any of its steps has half a batch, a batch without its names, or
// some names: the next one completes it.
func TestAnExportThatIsKilledAtAnyStepHasEveryRecordOnce(t *testing.T) {
	for _, format := range []Format{Parquet, CSV, JSONL} {
		t.Run(string(format), func(t *testing.T) {
			s := newSource(t, 2, 1)
			s.pad = 6000
			s.produce(250) // two batches
			steps := 0
			for ; ; steps++ {
				dir, killed := t.TempDir(), false
				_, err := run(t.Context(), s.client, s.config(dir, format), killAt(steps), time.After)
				switch {
				case errors.Is(err, errKilled):
					killed = true
					s.visible(dir, format)
				case err != nil:
					t.Fatal(err)
				}
				totals, err := Run(t.Context(), s.client, s.config(dir, format))
				if err != nil {
					t.Fatalf("killed before step %d: %v", steps, err)
				}
				s.check(dir, format, s.made)
				if totals.AllRows != int64(len(s.made)) || !totals.Complete {
					t.Fatalf("killed before step %d: totals %+v", steps, totals)
				}
				if left, err := os.ReadDir((&disk{dir: dir + "/predictions"}).path(tmpDir)); err != nil || len(left) > 0 {
					t.Fatalf("temporary files %v are left: %v", left, err)
				}
				if _, err := os.Stat(dir + "/predictions/" + commonName); err != nil && format == Parquet {
					t.Fatalf("killed before step %d: %v", steps, err)
				}
				if !killed {
					break
				}
			}
			if steps < 25 {
				t.Errorf("an export has %d steps, want more: are they steps of the disk?", steps)
			}
		})
	}
}

// The topic grows while exports are killed at random, some of them several times in a row.
func TestAnExportOfAGrowingTopicThatIsKilledAtRandomHasEveryRecordOnce(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 3))
	for round := range 5 {
		s := newSource(t, 3, seed+uint64(round))
		s.pad, s.hours = 6000, 1+random.IntN(8)
		dir, format := t.TempDir(), []Format{Parquet, CSV, JSONL}[random.IntN(3)]
		for range 8 {
			s.produce(random.IntN(150))
			_, err := run(t.Context(), s.client, s.config(dir, format), killAt(random.IntN(80)), time.After)
			if err != nil && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			s.visible(dir, format)
		}
		if _, err := Run(t.Context(), s.client, s.config(dir, format)); err != nil {
			t.Fatal(err)
		}
		s.check(dir, format, s.made)
	}
}

func TestAFullDiskIsNamedAndTheExportGoesOnLater(t *testing.T) {
	s := newSource(t, 1, 4)
	s.pad = 6000
	s.produce(400)
	dir, writes := t.TempDir(), 0
	full := func(step string) error {
		if step == "write" {
			if writes++; writes > 4 {
				return fmt.Errorf("write: %w", syscall.ENOSPC)
			}
		}
		return nil
	}
	_, err := run(t.Context(), s.client, s.config(dir, CSV), full, time.After)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the error is %v", err)
	}
	if left, err := os.ReadDir((&disk{dir: dir + "/predictions"}).path(tmpDir)); err != nil || len(left) > 0 {
		t.Errorf("on a full disk, temporary files %v are left: %v", left, err)
	}
	s.visible(dir, CSV)
	if _, err := Run(t.Context(), s.client, s.config(dir, CSV)); err != nil {
		t.Fatal(err)
	}
	s.check(dir, CSV, s.made)
}
