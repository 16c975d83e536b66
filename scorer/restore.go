package scorer

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/stream"
)

// restoreBack is how many of a partition's newest predictions are read back at the start.
const restoreBack = 8192

// past is the choice that another process made for a request, as far as its predictions tell: the
// ranking of its answer has chosen candidates only, and no probabilities.
type past struct {
	request string
	choice  fingerprint
	answer  Answer
}

// restore reads the newest predictions back, which tell the choices that were made before this
// process began. Requests are answered meanwhile. While Kafka is away, it tries again.
func (m *memory) restore(ctx context.Context, client *stream.Client, logger *slog.Logger) error {
	return retry.Persist(ctx, logger, "read the newest predictions back", func() error {
		ranges, err := client.Offsets(ctx, event.TopicPredictions)
		if err != nil {
			return err
		}
		for p, r := range ranges {
			var pasts []*past
			byRequest := map[string]*past{}
			err := client.ReadRange(ctx, event.TopicPredictions, p, max(r.First, r.End-restoreBack), r.End, func(rec *stream.Record) error {
				if added := addPast(byRequest, rec.Value); added != nil {
					pasts = append(pasts, added)
				}
				return nil
			})
			if err != nil {
				return err
			}
			for _, p := range pasts {
				m.remember(p)
			}
		}
		return nil
	})
}

// restoreLeft takes in the choices of predictions that an earlier process left in its spool. They
// are not on the topic yet, where restore looks.
func (m *memory) restoreLeft(left []stream.Record) {
	var pasts []*past
	byRequest := map[string]*past{}
	for i := range left {
		if added := addPast(byRequest, left[i].Value); added != nil {
			pasts = append(pasts, added)
		}
	}
	for _, p := range pasts {
		m.remember(p)
	}
}

// addPast adds what a prediction tells of its request's choice, and returns the past when that is
// new. The first choice of a request stands.
func addPast(pasts map[string]*past, value []byte) (added *past) {
	p, err := event.ParsePrediction(value)
	text, found := strings.CutPrefix(p.ID, p.Request+".")
	index, notIndex := strconv.ParseUint(text, 10, 31)
	choice, valid := parseFingerprint(p.Choice)
	if err != nil || !found || notIndex != nil || !valid {
		return nil
	}
	known := pasts[p.Request]
	if known == nil {
		known = &past{request: strings.Clone(p.Request), choice: choice, answer: Answer{Policy: strings.Clone(p.Policy), Time: p.Time}}
		pasts[known.request], added = known, known
	}
	a := &known.answer
	if known.choice == choice && !slices.ContainsFunc(a.Ranked, func(s Scored) bool { return s.Index == int(index) }) {
		a.Ranked = append(a.Ranked, Scored{Index: int(index), Propensity: p.Propensity})
		a.named = append(a.named, named{strings.Clone(p.Ad), strings.Clone(p.Campaign)})
	}
	return added
}

// remember keeps a past, unless the process has answered the request itself.
func (m *memory) remember(p *past) {
	h := m.hash(p.request)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.memos[h]; !ok {
		m.store(h, memo{content: p.choice, state: memoRestored}, p.answer.append(nil))
	}
}

// fits says whether q, whose answer is a past, is the request of which that choice was made. Where
// writing was interrupted and only some of the chosen candidates are known, every request that
// chooses more of them fits.
func (q *Request) fits(choice fingerprint, scratch *[]int) bool {
	picks := q.Answer.Ranked
	indices := (*scratch)[:0]
	for _, s := range picks {
		indices = append(indices, s.Index)
	}
	*scratch = indices
	q.claim.whole = q.choice(indices) == choice
	return q.claim.whole || len(picks) < q.Choose
}

// choosePast puts the picks of a past in front of q's ranking, in their order, and says whether it
// could: when all of them are known.
func (q *Request) choosePast(picks []Scored) bool {
	if len(picks) == 0 || !q.claim.whole {
		return false
	}
	ranked := q.Answer.Ranked
	q.Answer.Chosen = len(picks)
	for rank, pick := range picks {
		at := slices.IndexFunc(ranked, func(s Scored) bool { return s.Index == pick.Index })
		if at < rank {
			q.Answer.Chosen = min(q.Choose, len(ranked))
			return false
		}
		chosen := ranked[at]
		copy(ranked[rank+1:at+1], ranked[rank:at])
		ranked[rank] = chosen
		ranked[rank].Propensity = pick.Propensity
	}
	return true
}
