package model

// encodeHashed is encode for the commonest example of a net without records of tokens: a few whole
// tokens of each of some fields that stood in the same places in the example before. False: it is
// another one, and nothing was done.
func (c *core) encodeHashed(x []Feature, r *row, s *Scratch) bool {
	if len(x) > len(s.seen) || c.cfg.Numbers == "raw" {
		return false
	}
	known := len(c.fields.hashes)
	r.reset(known)
	var fields uint64 // a bit for each that was there
	last, run := -1, 0
	crossed := len(c.crosses) > 0
	for i := range x {
		f, field := &x[i], int(s.seen[i])
		if f.Kind != Token || f.Value != 1 || field >= min(known, 64) || c.fields.hashes[field] != f.Field {
			return false
		}
		if run++; field != last {
			if fields>>field&1 != 0 {
				return false
			}
			fields |= 1 << field
			last, run = field, 1
			r.present = append(r.present, uint16(field))
		}
		if run > 4 { // their weights are bounded together
			return false
		}
		key := mix(f.Field^kindToken, f.Hash)
		r.slots = append(r.slots, hit{c.h.slot(key), 1})
		if crossed {
			p := &r.reps[field]
			p.seen = true
			p.toks[run-1] = repTok{key, 1}
			p.n = int32(run)
		}
	}
	if crossed {
		c.crossSlots(r)
	}
	r.fields = known
	return true
}
