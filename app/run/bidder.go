package run

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/clickloop/clickloop/bidder"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/collect"
	"github.com/clickloop/clickloop/internal/signing"
	"github.com/clickloop/clickloop/scorer"
)

// bidder stands on the scorer of this process, or runs one of its own that serves no calls. Its
// notices are written by the collector of this process, or by one of its own.
func (b *builder) bidder(profiles features.Store) (stage, error) {
	keys, err := b.noticeKeys()
	if err != nil {
		return nil, err
	}
	d := bidder.Deps{
		Client: b.Client, Scorer: b.scores, Keys: keys, Gate: b.gate, Now: now, Recorded: b.clock.Recorded,
		Prefix: b.cfg.Kafka.Prefix, Dir: b.cfg.Data, Logger: b.logger, Registerer: b.registry,
	}
	if b.scores == nil {
		made, err := b.scorer(profiles)
		if err != nil {
			return nil, err
		}
		d.Scorer, d.RunScorer = made.(*scorer.Scorer), true
	}
	if b.takes != nil {
		d.Events = b.takes
	} else {
		c := collect.New(collect.Config{
			Client: b.Client, Clock: b.clock, MaxWaiting: b.cfg.Ingest.MaxWaiting, Heartbeat: b.cfg.Ingest.Heartbeat, Lease: b.cfg.Watermark.Lease, Logger: b.logger,
		})
		d.Events, d.RunEvents = c, c.Run
	}
	client, err := b.dialRedis(features.Writing, "ledger")
	if err != nil {
		return nil, err
	}
	b.stores = append(b.stores, store{client, features.LedgerRights(b.cfg.Kafka.Prefix)})
	d.Redis = client
	s, err := bidder.New(b.cfg.Bidding, d)
	if err != nil {
		return nil, err
	}
	b.bids = s
	return s, nil
}

// noticeKey is the file of the secret that signs notices where none is configured.
const noticeKey = "notice.key"

// noticeKeys returns the keys that sign notices. Where nobody gave any, and all stages are in one
// process, a secret is made: in the data folder, so that it outlives the process, or, without one,
// for as long as the process lives.
func (b *builder) noticeKeys() (*signing.Ring, error) {
	var keys *signing.Ring
	var err error
	path := b.cfg.Bidding.SignKey
	switch {
	case path != "":
	case b.keys != nil:
		return b.keys, nil
	case !b.whole:
		return nil, errors.New("no key signs the notices of bids: set bidding.sign_key to a file with a secret of at least 32 characters, the same for every bidder")
	case b.cfg.Data == "":
		return signing.Hold(rand.Text() + rand.Text())
	default:
		path = filepath.Join(b.cfg.Data, noticeKey)
		if err := makeSecret(path); err != nil {
			return nil, fmt.Errorf("cannot make the key that signs notices: %w", err)
		}
	}
	if keys, err = signing.Open(path, b.logger); err != nil {
		return nil, fmt.Errorf("bidding.sign_key %w", err)
	}
	b.running = append(b.running, keys.Run)
	return keys, nil
}

// makeSecret writes a new secret to path, unless there is a file.
func makeSecret(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, rand.Text()+rand.Text())
	return errors.Join(err, f.Sync(), f.Close())
}
