package access

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// reloadEvery is how often files of keys are read.
const reloadEvery = 2 * time.Second

// Run reads the files of keys again and again until ctx ends. New keys hold from then on, and keys
// that are gone hold no more. A file that cannot be read, is empty or has a wrong line is logged,
// and its old keys go on holding.
func (g *Gate) Run(ctx context.Context) error {
	if g == nil {
		return nil
	}
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			g.reload()
		}
	}
}

// load reads all sources for the first time.
func (g *Gate) load() error {
	for _, s := range g.sources {
		if _, err := g.read(s); err != nil {
			return fmt.Errorf("%s: %w", s.where(), err)
		}
		g.warnOfMode(s)
	}
	return nil
}

// reload reads the files again.
func (g *Gate) reload() {
	for _, s := range g.sources {
		if s.key.File == "" {
			continue
		}
		changed, err := g.read(s)
		switch {
		case err != nil && s.refused != g.hasher.digest(err.Error()):
			s.refused = g.hasher.digest(err.Error())
			g.logger.Error("new keys are refused and the old ones go on holding", "client", s.client.name, "file", s.key.File, "err", err)
		case err == nil:
			s.refused = digest{}
		}
		if changed {
			g.logger.Info("keys were read again", "client", s.client.name, "file", s.key.File, "keys", len(s.digests))
			g.warnOfMode(s)
		}
	}
}

// read reads a source, and tells whether its keys have changed.
func (g *Gate) read(s *source) (changed bool, err error) {
	text, err := s.text()
	if err != nil {
		return false, err
	}
	digests, err := s.parse(text, &g.hasher)
	if err != nil || slices.Equal(digests, s.digests) {
		return false, err
	}
	ring, err := join(g.sources, s, digests)
	if err != nil {
		return false, err
	}
	s.digests = digests
	g.ring.Store(&ring)
	return true, nil
}

// warnOfMode warns of a file that others than its owner may read.
func (g *Gate) warnOfMode(s *source) {
	if s.key.File == "" {
		return
	}
	if info, err := os.Stat(s.key.File); err == nil && info.Mode().Perm()&0o077 != 0 {
		g.logger.Warn("others than its owner may use a file of keys: chmod 600", "client", s.client.name, "file", s.key.File, "mode", fmt.Sprintf("%#o", info.Mode().Perm()))
	}
}
