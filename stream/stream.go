// Package stream is the only importer of a Kafka client: topics, producers, groups and readers.
package stream

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Config says how to reach Kafka.
type Config struct {
	Brokers  []string
	Prefix   string // before every topic and group name; "clickloop." by default
	ClientID string // also the header "producer"
	Logger   *slog.Logger
}

// Client is a connection to one Kafka cluster. It is safe for concurrent use.
type Client struct{ cfg Config }

// Topic is what EnsureTopic creates or checks. Name has no prefix.
type Topic struct {
	Name           string
	Partitions     int
	Retention      time.Duration // 0: the broker's default
	RetentionBytes int64         // per partition; 0: no bound by size
	SegmentBytes   int64
	MaxMessage     int // bytes of a record batch; 0: 1 MiB
}

// Header is a record's header.
type Header struct {
	Key   string
	Value []byte
}

// Record is one message. Partition -1 asks Produce to choose by Murmur2 of Key, as Java's clients do.
type Record struct {
	Partition int
	Offset    int64
	Key       []byte
	Value     []byte
	Time      time.Time // moment of production; set by Produce when zero
	Headers   []Header
}

// Range is what a partition holds: offsets First <= o < End.
type Range struct{ First, End int64 }

// ErrTrimmed is returned by a Reader, once, when records between the wanted and the first held offset are gone.
// errors.As with *TrimmedError tells which.
var ErrTrimmed = errors.New("records were deleted before they were read")

// Dial returns a Client; it does not wait for the cluster: every call retries until its context ends.
func Dial(cfg Config) (*Client, error) { panic("not built yet") }

// Close closes idle connections.
func (c *Client) Close() error { panic("not built yet") }

// Ping returns nil when a broker answers.
func (c *Client) Ping(ctx context.Context) error { panic("not built yet") }

// EnsureTopics creates what is missing, waits until it can be written, and checks what exists.
func (c *Client) EnsureTopics(ctx context.Context, topics ...Topic) error { panic("not built yet") }

// TopicID is the first 8 hexadecimal digits of the topic's id: a topic that was deleted and created again has another.
func (c *Client) TopicID(ctx context.Context, topic string) (string, error) { panic("not built yet") }

// Partitions is the number of partitions of topic (cached after the first call).
func (c *Client) Partitions(ctx context.Context, topic string) (int, error) { panic("not built yet") }

// Offsets returns the Range of every partition of topic, in order.
func (c *Client) Offsets(ctx context.Context, topic string) ([]Range, error) { panic("not built yet") }

// Produce writes recs and returns nil once every one is acknowledged by all in-sync replicas. Records of a partition are written
// in the order given, in batches, one in flight; a batch is retried with backoff until ctx ends, so it may be written twice,
// never skipped. On error the outcome of the rest is unknown.
func (c *Client) Produce(ctx context.Context, topic string, recs []Record) error {
	panic("not built yet")
}

// Partition is the number that Produce chooses for key among n partitions.
func Partition(key []byte, n int) int { panic("not built yet") }

// Join is a member of a consumer group until ctx ends: it calls fn for every generation, with a ctx that ends with the generation, and
// waits for fn before it joins again. fn's error other than ctx's is logged, counted and retried in a new generation after backoff.
func (c *Client) Join(ctx context.Context, group string, topics []string, fn func(ctx context.Context, g *Generation) error) error {
	panic("not built yet")
}

// Generation is what the group gave to this member.
type Generation struct {
	ID       int32
	Assigned map[string][]Assignment // by topic (no prefix), sorted by partition
}

// Assignment is one partition and the offset that the group has committed: the next to read, -1 when none.
type Assignment struct {
	Partition int
	Committed int64
}

// Commit moves the group's offset in this generation, with a timeout: next is the offset of the first record not yet handled.
func (g *Generation) Commit(ctx context.Context, topic string, next map[int]int64) error {
	panic("not built yet")
}

// EachPartition runs fn for every assigned partition, a goroutine each, until all have returned; the first error cancels the others.
func (g *Generation) EachPartition(ctx context.Context, fn func(ctx context.Context, topic string, a Assignment) error) error {
	panic("not built yet")
}

// Reader reads one partition in order from an offset, with no group. It reconnects by itself (leader moves, broker restarts).
type Reader struct{}

// NewReader starts at offset (0 or below the first held one: at the first held one).
func (c *Client) NewReader(topic string, partition int, offset int64) *Reader {
	panic("not built yet")
}

// Read blocks until there is at least one record or ctx ends. The slice and its bytes are valid until the next Read.
func (r *Reader) Read(ctx context.Context) ([]Record, error) { panic("not built yet") }

// Offset is that of the next record that Read will return.
func (r *Reader) Offset() int64 { panic("not built yet") }

// End is the end of the partition as the broker last told: Offset() == End() means that nothing was left at that time.
func (r *Reader) End() int64 { panic("not built yet") }

// Close ends the Reader's connection. A Read that waits returns.
func (r *Reader) Close() error { panic("not built yet") }
