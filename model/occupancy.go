package model

// Occupancy is how full a net's memory is.
type Occupancy struct {
	Fields    int   // known
	MaxFields int   // allowed; later ones share the last
	Tokens    int   // with records of their own
	MaxTokens int   // allowed
	Pooled    bool  // the table is full: later tokens share the records of a pool
	Expired   int64 // tokens that lost their records
	// hashed weights that are in use, as of the last checkpoint; two tokens that fall on one share
	// it
	Slots    int
	MaxSlots int
}

// Knows says whether a field has come, by the hash of its name.
func (n *Net) Knows(field uint64) bool { return n.fields.find(field) >= 0 }

// Occupancy tells how full the net's memory is. Like Learn it belongs to the goroutine that learns.
func (n *Net) Occupancy() Occupancy {
	return Occupancy{Fields: len(n.fields.hashes), MaxFields: n.cfg.MaxFields, Tokens: len(n.index.keys) - 1 - len(n.life.free), MaxTokens: 1 << n.cfg.TableBits, Pooled: n.pooled,
		Expired: n.life.gone, Slots: n.filled, MaxSlots: 1 << n.h.bits}
}
