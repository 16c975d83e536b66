package stream

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wire is a connection to one broker for the requests that kafka-go lacks: metadata with topic ids,
// and fetches that name aborted transactions. franz-go's codec encodes them. A wire serves one
// goroutine, one request at a time.
type wire struct {
	conn        net.Conn
	format      *kmsg.RequestFormatter
	correlation int32
	out         []byte
}

// maxAnswer bounds a broker's answer. A fetch brings at least one batch, however large.
const maxAnswer = 512 << 20

// connect opens a wire to the broker at address.
func (c *cluster) connect(ctx context.Context, address string) (*wire, error) {
	conn, err := c.cfg.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return newWire(conn, c.cfg.ClientID), nil
}

func newWire(conn net.Conn, clientID string) *wire {
	return &wire{conn: conn, format: kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID))}
}

// noDeadline is what a connection has at first.
var noDeadline time.Time

func (w *wire) close() error { return w.conn.Close() }

// bound lets the requests that follow take as long as limit, and ends them when ctx ends. The
// caller calls stop after them.
func (w *wire) bound(ctx context.Context, limit time.Duration) (stop func() bool, err error) {
	if err := w.conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return nil, err
	}
	return context.AfterFunc(ctx, func() { _ = w.conn.SetDeadline(time.Unix(1, 0)) }), nil
}

// ask sends req and reads its answer into resp, which may keep pointing into the memory of the
// answer. The caller bounds it.
func (w *wire) ask(req kmsg.Request, resp kmsg.Response) error {
	w.correlation++
	w.out = w.format.AppendRequest(w.out[:0], req, w.correlation)
	if _, err := w.conn.Write(w.out); err != nil {
		return err
	}
	var head [8]byte // size, correlation id
	if _, err := io.ReadFull(w.conn, head[:]); err != nil {
		return err
	}
	size := int64(int32(binary.BigEndian.Uint32(head[:]))) - 4
	if size < 0 || size > maxAnswer {
		return fmt.Errorf("%w: it has %d bytes", errNoAnswer, size)
	}
	if got := int32(binary.BigEndian.Uint32(head[4:])); got != w.correlation {
		return fmt.Errorf("%w: it is of request %d, not %d", errNoAnswer, got, w.correlation)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(w.conn, body); err != nil {
		return err
	}
	if req.IsFlexible() {
		var err error
		if body, err = skipTags(body); err != nil {
			return err
		}
	}
	resp.SetVersion(req.GetVersion())
	return resp.ReadFrom(body)
}

// errNoAnswer is returned for bytes that cannot be a broker's answer.
var errNoAnswer = errors.New("the answer is none of Kafka's")

var errShortAnswer = errors.New("the answer ends too early")

// skipTags skips the tagged fields of a header.
func skipTags(b []byte) ([]byte, error) {
	next := func() (uint64, error) {
		n, used := binary.Uvarint(b)
		if used <= 0 {
			return 0, errShortAnswer
		}
		b = b[used:]
		return n, nil
	}
	tags, err := next()
	for ; err == nil && tags > 0; tags-- {
		if _, err = next(); err != nil {
			break
		}
		var size uint64
		if size, err = next(); err == nil && size > uint64(len(b)) {
			err = errShortAnswer
		}
		if err == nil {
			b = b[size:]
		}
	}
	return b, err
}

// topicMetadata is a topic's id, the address of each partition's leader (empty where a partition
// has none), and the id of the cluster.
type topicMetadata struct {
	id      string
	leaders []string
	cluster string
}

// describe asks a broker about a topic.
func (c *cluster) describe(ctx context.Context, broker, topic string) (topicMetadata, error) {
	w, err := c.connect(ctx, broker)
	if err != nil {
		return topicMetadata{}, err
	}
	defer w.close()
	stop, err := w.bound(ctx, attemptTimeout)
	if err != nil {
		return topicMetadata{}, err
	}
	defer stop()
	found, err := w.describe(c.name(topic))
	return found, c.denied(err, Need{Name: topic, Operations: []string{OpDescribe}})
}

func (w *wire) describe(name string) (topicMetadata, error) {
	req, resp := kmsg.NewPtrMetadataRequest(), kmsg.NewPtrMetadataResponse()
	req.Version = 12
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &name
	req.Topics = append(req.Topics, t)
	if err := w.ask(req, resp); err != nil {
		return topicMetadata{}, err
	}
	if len(resp.Topics) != 1 {
		return topicMetadata{}, fmt.Errorf("topic %s is not known", name)
	}
	found := &resp.Topics[0]
	if found.ErrorCode != 0 {
		return topicMetadata{}, fmt.Errorf("topic %s: %w", name, kafka.Error(found.ErrorCode))
	}
	addresses := map[int32]string{}
	for _, b := range resp.Brokers {
		addresses[b.NodeID] = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	}
	m := topicMetadata{id: hex.EncodeToString(found.TopicID[:4]), leaders: make([]string, len(found.Partitions))}
	if resp.ClusterID != nil {
		m.cluster = *resp.ClusterID
	}
	for _, partition := range found.Partitions {
		if n := int(partition.Partition); n >= 0 && n < len(m.leaders) {
			m.leaders[n] = addresses[partition.Leader]
		}
	}
	return m, nil
}
