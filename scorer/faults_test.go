package scorer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// faults is a topic that loses, repeats, reorders and damages records, and brings those of former
// learners late.
type faults struct {
	rng     *rand.Rand
	deliver func(stream.Record)
	late    []stream.Record
	counts  map[string]int
}

func (f *faults) send(r stream.Record) {
	switch f.rng.IntN(14) {
	case 0:
		f.counts["lost"]++
		return
	case 1, 2:
		f.counts["repeated"]++
		f.deliver(r)
	case 3, 4:
		f.counts["late"]++
		f.late = append(f.late, r)
		return
	case 5, 6:
		f.counts["damaged"]++
		f.damage(&r)
	case 7:
		f.counts["cut"]++
		r.Value = r.Value[:f.rng.IntN(len(r.Value))]
	case 8:
		f.counts["head damaged"]++
		r.Headers = slices.Clone(r.Headers)
		f.damageHead(&r.Headers[f.rng.IntN(len(r.Headers))])
	}
	f.deliver(r)
	for len(f.late) > 0 && f.rng.IntN(3) == 0 {
		i := f.rng.IntN(len(f.late))
		f.deliver(f.late[i])
		f.late = slices.Delete(f.late, i, i+1)
	}
}

// damage flips a few bits of a value.
func (f *faults) damage(r *stream.Record) {
	r.Value = slices.Clone(r.Value)
	for range 1 + f.rng.IntN(3) {
		r.Value[f.rng.IntN(len(r.Value))] ^= 1 << f.rng.IntN(8)
	}
}

// damageHead flips a bit of a header's name or value, cuts it short, or makes another number of it.
func (f *faults) damageHead(h *stream.Header) {
	v := slices.Clone(h.Value)
	switch f.rng.IntN(5) {
	case 0:
		name := []byte(h.Key)
		name[f.rng.IntN(len(name))] ^= 1 << f.rng.IntN(8)
		h.Key = string(name)
	case 1:
		v[f.rng.IntN(len(v))] ^= 1 << f.rng.IntN(8)
	case 2:
		v[f.rng.IntN(len(v))] = byte('0' + f.rng.IntN(10)) // such as a higher epoch
	case 3:
		v = v[:f.rng.IntN(len(v))]
	case 4:
		v = fmt.Append(nil, f.rng.Int64())
	}
	h.Value = v
}

// TestNoFaultOfMessagesGivesWrongWeights has more than a thousand faults happen to messages on
// their way. After each record what is served predicts what the learner predicted at that version,
// versions never go back, and the next whole snapshot mends everything, on both replicas.
func TestNoFaultOfMessagesGivesWrongWeights(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	plain := smallModel()
	// as good for this, and faster than the mixture
	plain.Network = []string{"linear", "ffm", "mlp"}
	total := faultyTopic(t, seed, smallModel(), 200)
	total += faultyTopic(t, seed+1, plain, 1200)
	if total < 1000 {
		t.Errorf("only %d faults", total)
	}
}

func faultyTopic(t *testing.T, seed uint64, c model.Config, rounds int) (total int) {
	rng := rand.New(rand.NewPCG(seed, 1))
	s, w, f := newSource(t, seed, c), newTruth(), newFollower()
	scratch := &model.Scratch{}
	highest := int64(-1)
	see := func() {
		t.Helper()
		n, err := w.check(&f.replicas, scratch)
		if err != nil {
			t.Fatal(err)
		}
		if n < highest {
			t.Fatalf("served version went back from %d to %d", highest, n)
		}
		highest = n
	}
	topic := faults{rng: rng, counts: map[string]int{}, deliver: func(r stream.Record) {
		_ = f.accept(&r) // that a gap asks for a rewind is of no use here
		see()
	}}
	checkpoint := s.checkpoint()
	killed := 0
	for round := range rounds {
		s.learn(1 + rng.IntN(20))
		w.note(s)
		switch {
		case round%16 == 0: // a snapshot that nothing happens to mends everything
			for s.net.Examples() <= highest { // a successor first catches up
				s.learn(1)
			}
			w.note(s)
			for _, r := range s.message("snapshot") {
				_ = f.accept(&r)
				see()
			}
			recovered(t, s, f)
		case rng.IntN(20) == 0:
			for _, r := range s.message("snapshot") {
				topic.send(r)
			}
		case rng.IntN(30) == 0:
			// the learner is killed, and another goes on from the last checkpoint
			former := s
			s = s.successor(checkpoint)
			killed++
			w.note(s)
			for _, r := range s.message("snapshot") {
				topic.send(r)
			}
			for _, r := range former.message("delta") {
				topic.send(r)
			}
		default:
			for _, r := range s.message("delta") {
				topic.send(r)
			}
		}
		if rng.IntN(15) == 0 {
			checkpoint = s.checkpoint()
		}
	}
	for _, n := range topic.counts {
		total += n
	}
	t.Logf("%d faults (%v) in %d rounds, %d learners killed, served up to version %d", total, topic.counts, rounds, killed, highest)
	if len(topic.counts) != 6 || killed == 0 {
		t.Error("the test tests too little")
	}
	return total
}

// recovered checks that both replicas are at the learner's version and predict what it does.
func recovered(t *testing.T, s *source, f *follower) {
	t.Helper()
	scratch := &model.Scratch{}
	for name, r := range map[string]*replica{"active": f.replicas.active.Load(), "idle": f.replicas.idle} {
		if r == nil || r.weights.Examples() != s.net.Examples() {
			t.Fatalf("after a whole snapshot of version %d the %s replica is %+v", s.net.Examples(), name, r)
		}
		for i := range int64(40) {
			x := exampleOf(7, i).x
			if got, want := r.weights.Predict(x, scratch), s.net.Predict(x, s.scratch); got != want {
				t.Fatalf("after a whole snapshot of version %d the %s replica predicts %v, the learner %v", s.net.Examples(), name, got, want)
			}
		}
	}
}
