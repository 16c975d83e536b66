package report

import "github.com/clickloop/clickloop/event"

// order finds the steps that count: those of the newest epoch so far, each once. A step of an
// earlier epoch behind the begin of a later one is void: it never happened.
type order struct {
	epoch int64
	pages map[int64]*[64]uint64 // seqs of the epoch, 4,096 a page
}

func (o *order) counts(s *event.BidStep) bool {
	if s.Epoch > o.epoch {
		o.epoch, o.pages = s.Epoch, map[int64]*[64]uint64{}
	}
	if s.Epoch < o.epoch || s.Step == event.StepEpoch {
		return false
	}
	if s.Step == event.StepAllow || s.Step == event.StepLeave {
		return true // they have no seq, and to read them twice is harmless
	}
	if s.Seq <= 0 {
		return false
	}
	page := o.pages[s.Seq>>12]
	if page == nil {
		page = &[64]uint64{}
		o.pages[s.Seq>>12] = page
	}
	word, bit := &page[s.Seq>>6&63], uint64(1)<<(s.Seq&63)
	again := *word&bit != 0
	*word |= bit
	return !again
}
