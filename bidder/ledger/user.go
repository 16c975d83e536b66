package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// User is the user of a campaign's bid while the ledger knows the bid, for the impressions and
// clicks that follow it: their tokens do not tell. It is empty where the bid has none, and for a
// bid that is not known or is another campaign's. The error is ErrUnavailable.
func (l *Ledger) User(ctx context.Context, campaign, bid string) (string, error) {
	s := l.sessions.enter()
	if s == nil {
		return "", ErrUnavailable
	}
	defer s.calls.Done()
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Call)
	defer cancel()
	text, err := l.store.client.Get(ctx, l.store.bidKey(s.epoch, bid)).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	var rec record
	if err == nil {
		rec, err = parseRecord(text)
	}
	if err != nil {
		return "", fmt.Errorf("%w: cannot read a bid: %w", ErrUnavailable, l.redis.Explain(err, l.rights))
	}
	if rec.campaign() != campaign {
		return "", nil
	}
	return rec.user(), nil
}

// bidKey is the key under which the script keeps a bid of an epoch.
func (s *store) bidKey(epoch int64, bid string) string {
	return s.cfg.Prefix + "ledger:" + strconv.FormatInt(epoch, 10) + ":b:" + bid
}
