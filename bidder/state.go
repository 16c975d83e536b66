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

// tidyEvery is how often it is written, and campaigns that are gone are forgotten.
const tidyEvery = 5 * time.Minute

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

// tidy forgets campaigns that are gone, and writes what pacing has learned, now and then and at the
// end.
func (b *Bidder) tidy(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.savePacing()
			return ctx.Err()
		}
		view := b.catalogue.View()
		b.strategies.keep(func(id string) bool { return view.Find(id) != nil })
		b.savePacing()
	}
}

func (b *Bidder) savePacing() {
	if b.d.Dir == "" || b.d.Recorded() {
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
