package scorer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/spool"
	"github.com/clickloop/clickloop/stream"
)

// predictionSpool keeps predictions on disk from their answer until Kafka has acknowledged them.
type predictionSpool struct {
	*spool.Spool
	dir     string
	logger  *slog.Logger
	metrics *instruments
	scratch []byte
	pace    pace
}

var _ stream.Journal = (*predictionSpool)(nil)

// openSpool opens the spool of l and returns what an earlier process left in it.
func openSpool(dir string, l *predictionLog) (*predictionSpool, []stream.Record, error) {
	opened, found, err := spool.Open(dir, l.logger)
	if errors.Is(err, spool.ErrInUse) {
		return nil, nil, field.Wrong("spool", "is %s, which another process uses, want a folder of this process alone: give each scorer its own", dir)
	}
	if err != nil {
		return nil, nil, field.Wrong("spool", "is %s, which cannot be used (%v), want a folder that this process may write", dir, err)
	}
	s := &predictionSpool{Spool: opened, dir: dir, logger: l.logger, metrics: l.metrics}
	damaged := found.Damaged
	var left []stream.Record
	for _, b := range found.Records {
		r, ok := decodeRecord(b)
		if !ok {
			return nil, nil, errors.Join(fmt.Errorf("the spool %s holds a record of another version: start that version once, or move the folder away", dir), opened.Close())
		}
		r.Headers = l.headers
		left = append(left, r)
	}
	l.metrics.countPredictions("damaged", damaged)
	l.metrics.countPredictions("replayed", len(left))
	if damaged > 0 {
		l.logger.Error("predictions of an earlier process are lost: their records in the spool are damaged", "count", damaged, "spool", dir)
	}
	if len(left) > 0 {
		l.logger.Info("predictions of an earlier process are written first", "count", len(left), "spool", dir)
	}
	return s, left, nil
}

// Append keeps records: all of them, or none when it returns an error.
func (s *predictionSpool) Append(recs []stream.Record) error {
	s.Begin()
	for i := range recs {
		s.scratch = encodeRecord(s.scratch[:0], &recs[i])
		s.Add(s.scratch)
	}
	err := s.Commit()
	if err != nil && s.pace.shouldLog() {
		s.logger.Error("the spool cannot be written: requests are refused, or answered without being logged where they allow that (best_effort)", "spool", s.dir, "err", err)
	}
	return err
}

// close closes the spool; nil is none.
func (s *predictionSpool) close() {
	if s == nil {
		return
	}
	if err := s.Close(); err != nil {
		s.logger.Error("cannot close the spool", "spool", s.dir, "err", err)
	}
}

// encodeRecord appends what a record of the topic is made of, but for its headers:
//
//	length of the place  uvarint; the place is the start of the key
//	length of the key    uvarint
//	key, value
func encodeRecord(b []byte, r *stream.Record) []byte {
	b = binary.AppendUvarint(b, uint64(len(r.Place)))
	b = binary.AppendUvarint(b, uint64(len(r.Key)))
	return append(append(b, r.Key...), r.Value...)
}

// decodeRecord returns what encodeRecord has appended, in the memory of b.
func decodeRecord(b []byte) (r stream.Record, ok bool) {
	place, n := binary.Uvarint(b)
	if n <= 0 {
		return r, false
	}
	key, m := binary.Uvarint(b[n:])
	if m <= 0 || place > key || key > uint64(len(b)-n-m) {
		return r, false
	}
	b = b[n+m:]
	return stream.Record{Partition: -1, Key: b[:key:key], Place: b[:place:place], Value: b[key:]}, true
}

// pace spaces the log lines about a fault that lasts.
type pace struct {
	mu     sync.Mutex
	logged time.Time
}

// logEvery is how often a fault that lasts is logged.
const logEvery = 10 * time.Second

func (p *pace) shouldLog() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.logged) < logEvery {
		return false
	}
	p.logged = time.Now()
	return true
}
