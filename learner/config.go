package learner

import (
	"time"

	"github.com/clickloop/clickloop/internal/field"
)

// Config is the learner section of the configuration.
type Config struct {
	// longest time between learning and publishing; 0: publish after every batch
	Publish time.Duration `yaml:"publish"`
	// examples between checkpoints
	CheckpointExamples int64 `yaml:"checkpoint_examples"`
	// longest time between checkpoints while examples arrive
	CheckpointEvery time.Duration `yaml:"checkpoint_every"`
	// bytes of deltas after which a snapshot is published
	SnapshotBytes int64 `yaml:"snapshot_bytes"`
	// longest time between snapshots while examples arrive
	SnapshotEvery time.Duration `yaml:"snapshot_every"`
	// bits of a weight in messages and in the memory of scorers, 32 or 16
	ServeBits int `yaml:"serve_bits"`
	// by network key: file of `fit --out` to start from when there is no checkpoint
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
