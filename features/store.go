package features

import (
	"context"
	"errors"
	"fmt"

	"github.com/clickloop/clickloop/event"
)

// ErrMoved is returned by Store.Apply when the store's position is not where the batch begins: it
// was emptied, restored, or moved by another owner of the partition. The caller reads the Position
// and goes on from there.
var ErrMoved = errors.New("the store's position is not where this batch begins: read the position again")

// Store keeps profiles; under another namespace, feedback keeps its outcomes in one too. Memory and
// Redis behave alike. Several goroutines may call the methods, but batches of one partition must be
// applied one after another.
type Store interface {
	// Apply folds one micro-batch of a partition, in the order of its offsets, and moves the
	// position from 'from' (Next of the last Position) to to.Next. An empty batch moves the
	// position and the watermark.
	//
	// Repeats change nothing: each profile knows the highest offset that was applied from each
	// partition of each topic id, and refuses updates up to it. After ErrMoved, the part of the
	// batch that was applied is harmless for the same reason. After any other error nobody knows
	// which part was applied: the caller repeats the call, or reads the position again.
	Apply(ctx context.Context, from int64, to Position, batch []Update) error
	// Position returns how far a partition is folded. Next is 0 when the store does not know the
	// partition: an empty store is rebuilt from the log.
	Position(ctx context.Context, topicID string, partition int) (Position, error)
	// Watermark is the smallest Received of the topic's partitions; 0 when one of them has no
	// position yet.
	Watermark(ctx context.Context, topicID string, partitions int) (event.Time, error)
	// Read returns the profiles of keys in one round trip. The map has no entry for a key that the
	// store does not hold, and is nil only with an error. With a *KeyError the map holds all other
	// profiles, and the one that cannot be read as an unknown profile. When ctx ends first, it may
	// hold those that had come, and the others as unknown ones.
	Read(ctx context.Context, keys []string) (map[string]Profile, error)
}

// Position is how far the events of one partition are folded.
type Position struct {
	TopicID   string // of the events topic: a topic that is created again has another
	Partition int
	Next      int64 // offset of the first record that is not folded
	// Received is the partition's watermark: all events received before it are folded. It never
	// goes back.
	Received event.Time
	// Collectors is the state from which the fold computes the watermark. The store only keeps it;
	// an empty one leaves the old one in place.
	Collectors string
}

// Update is what one event adds to one profile.
type Update struct {
	Key    string
	Offset int64 // of the event in its partition
	Ops    []Op
}

// checkBatch refuses a batch that would lose events: no consumer may move a position back, or hold
// offsets that do not rise or lie behind the batch's end.
func checkBatch(from int64, to Position, batch []Update) error {
	if to.Next < from {
		return fmt.Errorf("cannot fold partition %d: the batch would move the position back from %d to %d", to.Partition, from, to.Next)
	}
	before := int64(-1)
	for i := range batch {
		if batch[i].Offset < before || batch[i].Offset >= to.Next {
			return fmt.Errorf("cannot fold partition %d: offset %d is not between the one before it, %d, and the end of the batch, %d",
				to.Partition, batch[i].Offset, before, to.Next)
		}
		before = batch[i].Offset
	}
	return nil
}
