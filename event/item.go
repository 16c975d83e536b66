package event

// Item is one thing of a catalogue that may be chosen (topic catalogue.<name>, key: ID). The last
// record of a key is the item; one without a value deletes it.
type Item struct {
	ID       string // becomes the candidate's ad
	Campaign string
	Value    float64 // of a positive, for the ranking; 1 unless it is given
	Fields   Fields  // become the candidate's context
	Time     Time    // when it was written
}

// MaxItemFields bounds the fields of an item.
const MaxItemFields = 64

// ItemLimits are the limits of an item's text.
var ItemLimits = Limits{Bytes: 20 << 10, Depth: 16, Fields: 1000}

// ItemNames are the members of an item.
var ItemNames = []string{"id", "campaign", "value", "fields", "time"}
