package bidder

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// stateFile keeps in the data folder what pacing has learned of traffic.
const stateFile = "pacing.json"

// saveEvery is how often it is written.
const saveEvery = 5 * time.Minute

// restorePacing reads what an earlier process has learned. Without it the first day counts as flat.
func (b *Bidder) restorePacing() {
	if b.d.Dir == "" || b.d.Recorded() {
		return
	}
	path := filepath.Join(b.d.Dir, stateFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err == nil {
		err = b.pacer.Restore(text)
	}
	if err != nil {
		b.logger.Warn("pacing begins anew: what it had learned of traffic cannot be read", "file", path, "err", err)
	}
}

// keepPacing writes what pacing has learned, now and then and at the end.
func (b *Bidder) keepPacing(ctx context.Context) error {
	if b.d.Dir == "" {
		<-ctx.Done()
		return ctx.Err()
	}
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.savePacing()
			return ctx.Err()
		}
		b.savePacing()
	}
}

func (b *Bidder) savePacing() {
	if b.d.Recorded() {
		return
	}
	path := filepath.Join(b.d.Dir, stateFile)
	err := os.WriteFile(path+".new", b.pacer.State(), 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		b.logger.Warn("cannot keep what pacing has learned of traffic", "file", path, "err", err)
	}
}
