// Package learner turns labelled examples into weights that scorers have a moment later.
//
// Weights depend on the order of examples alone, and that order is the order of the objective's
// topic. A checkpoint holds everything that the next example's effect depends on, so a learner that
// is killed at any point comes out with the bytes of one that was not.
//
// An objective has one owner, the process to which the group "learner.<objective>" gives the
// topic's one partition. There, goroutines work in a row: one reads and decodes examples, one owns
// the network (it learns, and answers questions), one writes messages of weights to Kafka, one
// writes checkpoints. Only the second touches the network; what it hands to the others are bytes.
package learner

import (
	"time"

	"github.com/clickloop/clickloop/internal/field"
)

// Config is the learner section of the configuration.
type Config struct {
	// how long what was learned may wait before scorers get it; 0: not at all
	Publish time.Duration `yaml:"publish"`
	// examples between checkpoints
	CheckpointExamples int64 `yaml:"checkpoint_examples"`
	// longest time between checkpoints while examples come
	CheckpointEvery time.Duration `yaml:"checkpoint_every"`
	// bytes of deltas after which a snapshot is published
	SnapshotBytes int64 `yaml:"snapshot_bytes"`
	// longest time between snapshots while examples come
	SnapshotEvery time.Duration `yaml:"snapshot_every"`
	// of a weight in the messages to scorers and in their memory, 32 or 16
	ServeBits int `yaml:"serve_bits"`
	// by objective: file of `fit --out` to start from when there is no checkpoint
	Warm map[string]string `yaml:"warm"`
}

// DefaultConfig publishes every 50 ms, checkpoints every 50,000 examples or 10 s, and writes a
// snapshot after 32 MiB of deltas or 5 minutes.
func DefaultConfig() Config {
	return Config{
		Publish: 50 * time.Millisecond, CheckpointExamples: 50_000, CheckpointEvery: 10 * time.Second,
		SnapshotBytes: 32 << 20, SnapshotEvery: 5 * time.Minute, ServeBits: 32,
	}
}

// Validate names the first field that is wrong.
func (c Config) Validate() error {
	switch {
	case c.Publish < 0 || c.Publish > time.Hour:
		return field.Wrong("publish", "is %v, want 0 (at once) to 1h", c.Publish)
	case c.CheckpointExamples < 1:
		return field.Wrong("checkpoint_examples", "is %d, want at least 1", c.CheckpointExamples)
	case c.CheckpointEvery < 100*time.Millisecond:
		return field.Wrong("checkpoint_every", "is %v, want at least 100ms", c.CheckpointEvery)
	case c.SnapshotBytes < 1<<20 || c.SnapshotBytes > 128<<20:
		return field.Wrong("snapshot_bytes", "is %d, want 1048576 to 134217728: the topic keeps 512 MiB, and a snapshot must be among them", c.SnapshotBytes)
	case c.SnapshotEvery < time.Second || c.SnapshotEvery > 24*time.Hour:
		return field.Wrong("snapshot_every", "is %v, want 1s to 24h", c.SnapshotEvery)
	case c.ServeBits != 16 && c.ServeBits != 32:
		return field.Wrong("serve_bits", "is %d, want 32 or 16", c.ServeBits)
	}
	return nil
}
