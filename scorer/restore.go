package scorer

import (
	"context"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/stream"
)

// restoreBack is how many of a partition's newest predictions are read back at the start.
const restoreBack = 8192

// restore learns from the newest predictions which requests were answered before this process
// began. Bids are answered meanwhile; where Kafka is away, it is tried again until it has come.
func (s *Scorer) restore(ctx context.Context) error {
	return retry.Persist(ctx, s.logger, "read the newest predictions back", func() error {
		ranges, err := s.client.Offsets(ctx, event.TopicPredictions)
		if err != nil {
			return err
		}
		for p, r := range ranges {
			if err := s.restorePartition(ctx, p, r); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Scorer) restorePartition(ctx context.Context, partition int, r stream.Range) error {
	var requests []string
	pasts := map[string]*past{}
	err := s.client.ReadRange(ctx, event.TopicPredictions, partition, max(r.First, r.End-restoreBack), r.End, func(rec *stream.Record) error {
		id, choice, policy, c, ok := pickOf(rec.Value)
		if !ok {
			return nil
		}
		switch p := pasts[id]; {
		case p == nil:
			pasts[id] = &past{choice: choice, policy: policy, picks: []pick{c}}
			requests = append(requests, id)
		case p.choice == choice && !p.has(c.index):
			p.picks = append(p.picks, c)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range requests {
		s.memory.restore(id, pasts[id])
	}
	return nil
}

func (p *past) has(index int) bool {
	for _, c := range p.picks {
		if c.index == index {
			return true
		}
	}
	return false
}

// restore keeps a past, unless the process has answered the request itself.
func (m *memory) restore(id string, p *past) {
	h := m.hash(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.entries[h]; !ok {
		m.store(h, entry{state: entryRestored}, p.append(nil))
	}
}

// pickOf reads what a prediction tells of its request's choice.
func pickOf(value []byte) (request string, choice fingerprint, policy string, c pick, ok bool) {
	var r event.Reader
	r.Reset(string(value), event.DefaultLimits)
	id, text := "", ""
	for r.Object(); r.Key(); {
		switch r.Name() {
		case "id":
			id = r.Text()
		case "request":
			request = r.Text()
		case "propensity":
			c.propensity = r.Number()
		case "policy":
			policy = r.Text()
		case "choice":
			text = r.Text()
		default:
			r.Raw()
		}
	}
	index, found := strings.CutPrefix(id, request+".")
	n, err := strconv.ParseUint(index, 10, 31)
	choice, valid := parseFingerprint(text)
	c.index = int(n)
	return request, choice, policy, c, r.End() == nil && found && err == nil && valid && len(policy) < 256
}
