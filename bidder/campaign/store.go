package campaign

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/stream"
)

const (
	writeWait = 10 * time.Second // for Kafka
	seenWait  = time.Second      // for this process to have what Kafka has acknowledged
)

// Store writes campaigns to their topic: those of a file when a bidder starts, and those of the API
// (see Register). Its Follower, which must run, tells what is there. A change is checked against
// all that the topic has, so that of two editors one at a time writes by this process; two
// processes may still write in the same milliseconds, and the later record stands.
type Store struct {
	Client     *stream.Client
	Catalogue  *Catalogue
	Follower   *Follower
	Objectives []string          // that are configured
	Now        func() event.Time // for the states of campaigns
	Logger     *slog.Logger

	turn turn // of whoever checks and writes
}

// turn is a lock for which nobody waits longer than a context lasts.
type turn struct {
	once  sync.Once
	taken chan struct{} // has an element while somebody has the turn
}

// take returns ctx's error when that ends before it is the caller's turn.
func (t *turn) take(ctx context.Context) error {
	t.once.Do(func() { t.taken = make(chan struct{}, 1) })
	select {
	case t.taken <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("another change is waiting for Kafka: %w", ctx.Err())
	}
}

func (t *turn) end() { <-t.taken }

// Conflict is the error about a creative's id that another campaign's creative has.
type Conflict struct{ wrong error }

func (c *Conflict) Error() string { return c.wrong.Error() }

// Unwrap returns a *field.Error.
func (c *Conflict) Unwrap() error { return c.wrong }

// Unavailable is the error about Kafka, which does not answer in time. The change may have been
// written or not; it can be made again.
type Unavailable struct{ err error }

func (u *Unavailable) Error() string {
	return fmt.Sprintf("no acknowledgement of Kafka: %v: send the same again", u.err)
}

// Unwrap returns what went wrong.
func (u *Unavailable) Unwrap() error { return u.err }

// Seed writes the campaigns of a file (see Load) that the topic does not have as the file has them,
// and returns how many. The file wins where it says something new: a campaign that it said before,
// word for word, is left as the API has changed it since, so that one that was paused in a hurry
// stays paused when a bidder starts again. Campaigns that it does not name stay, since they came by
// the API; one that it names and the API has deleted is written again. Seed waits for Kafka until
// ctx ends. The error is a *Conflict about creatives of campaigns that the file does not name, a
// *Full, or one of Kafka.
func (s *Store) Seed(ctx context.Context, wish []*Campaign) (written int, err error) {
	if err := s.turn.take(ctx); err != nil {
		return 0, err
	}
	defer s.turn.end()
	if err := s.Follower.CatchUp(ctx); err != nil {
		return 0, err
	}
	v := s.Catalogue.View()
	if err := checkWish(v, wish); err != nil {
		return 0, err
	}
	var records []stream.Record
	for _, c := range wish {
		said, is := etagOf(c), v.find(c.ID)
		if is == nil || is.seed != said && is.etag != said {
			records = append(records, s.record(c, said))
		}
	}
	if len(records) == 0 {
		return 0, nil
	}
	if err := s.Client.Produce(ctx, event.TopicCampaigns, records); err != nil {
		return 0, err
	}
	return len(records), s.Follower.Await(ctx, records[len(records)-1].Offset)
}

// checkWish looks for creatives that campaigns have which the file does not name, and counts all.
func checkWish(v *View, wish []*Campaign) error {
	named := map[string]bool{}
	for _, c := range wish {
		named[c.ID] = true
	}
	all := v.Len()
	for _, c := range wish {
		if v.find(c.ID) == nil {
			if all++; all > MaxCampaigns {
				return &Full{c.ID}
			}
		}
		for i := range c.Creatives {
			id := c.Creatives[i].ID
			if of, _ := v.Creative(id); of != nil && !named[of.ID] {
				return &Conflict{field.Wrong(at("creatives", i)+".id", "of the campaign %s %s", strictjson.Quote(c.ID), takenBy(id, of))}
			}
		}
	}
	return nil
}

func takenBy(id string, of *Campaign) string {
	return fmt.Sprintf("is %s, which a creative of the campaign %s has", strictjson.Quote(id), strictjson.Quote(of.ID))
}

// record is a campaign as it goes to the topic, with what a file said of it.
func (s *Store) record(c *Campaign, seed string) stream.Record {
	r := stream.Record{Key: []byte(c.ID), Value: c.AppendJSON(nil), Headers: s.Client.MessageHeaders(event.SchemaCampaign)}
	if seed != "" {
		r.Headers = append(r.Headers, stream.Header{Key: headerSeed, Value: []byte(seed)})
	}
	return r
}

// Put writes a campaign, which must be valid, and returns its etag. may is asked, with the etag
// that the campaign has now, or none, whether to go on. The error is may's, a *Conflict, a *Full,
// or an *Unavailable.
func (s *Store) Put(ctx context.Context, c *Campaign, may func(etag string) error) (etag string, err error) {
	err = s.change(ctx, c.ID, may, func(v *View, is *entry) (stream.Record, error) {
		seed := ""
		switch {
		case is != nil:
			seed = is.seed
		case v.Len() >= MaxCampaigns:
			return stream.Record{}, &Full{c.ID}
		}
		for i := range c.Creatives {
			id := c.Creatives[i].ID
			if of, _ := v.Creative(id); of != nil && of.ID != c.ID {
				return stream.Record{}, &Conflict{field.Wrong(at("creatives", i)+".id", "%s", takenBy(id, of))}
			}
		}
		return s.record(c, seed), nil
	})
	return etagOf(c), err
}

// errUnknown is returned by Delete for a campaign that there is not.
var errUnknown = errors.New("there is no such campaign")

// Delete deletes a campaign. may is that of Put. The error is may's, errUnknown, or an
// *Unavailable.
func (s *Store) Delete(ctx context.Context, id string, may func(etag string) error) error {
	return s.change(ctx, id, may, func(_ *View, is *entry) (stream.Record, error) {
		if is == nil {
			return stream.Record{}, errUnknown
		}
		return stream.Record{Key: []byte(id), Headers: s.Client.MessageHeaders(event.SchemaCampaign)}, nil
	})
}

// change writes the record that is made of what is there. It returns nil when Kafka has
// acknowledged it, and this process has most likely seen it.
func (s *Store) change(ctx context.Context, id string, may func(etag string) error, make func(*View, *entry) (stream.Record, error)) error {
	ctx, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	if err := s.turn.take(ctx); err != nil {
		return &Unavailable{err}
	}
	defer s.turn.end()
	if err := s.Follower.CatchUp(ctx); err != nil {
		return &Unavailable{err}
	}
	v := s.Catalogue.View()
	is, etag := v.find(id), ""
	if is != nil {
		etag = is.etag
	}
	if err := may(etag); err != nil {
		return err
	}
	record, err := make(v, is)
	if err != nil {
		return err
	}
	records := []stream.Record{record}
	if err := s.Client.Produce(ctx, event.TopicCampaigns, records); err != nil {
		if large := (*stream.TooLargeError)(nil); errors.As(err, &large) {
			return err
		}
		return &Unavailable{err}
	}
	seen, cancel := context.WithTimeout(ctx, seenWait)
	defer cancel()
	_ = s.Follower.Await(seen, records[0].Offset) // it is written, seen or not
	return nil
}
