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

// wire is a connection to one broker that speaks, by franz-go's codec, what kafka-go does not:
// metadata with topic ids, and fetches that tell which transactions were aborted. It serves one
// goroutine, one request at a time.
type wire struct {
	conn        net.Conn
	format      *kmsg.RequestFormatter
	correlation int32
	out         []byte
}

// maxAnswer bounds what a broker may answer; a fetch brings at least one batch, however large.
const maxAnswer = 512 << 20

func dialWire(ctx context.Context, address, clientID string) (*wire, error) {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, format: kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID))}, nil
}

func (w *wire) close() error { return w.conn.Close() }

// ask sends req and reads its answer into resp, which may go on pointing into the memory that the
// answer was read into. The caller sets the deadline.
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
		return fmt.Errorf("the answer has %d bytes", size)
	}
	if got := int32(binary.BigEndian.Uint32(head[4:])); got != w.correlation {
		return fmt.Errorf("the broker answered request %d, not %d", got, w.correlation)
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

var errShortAnswer = errors.New("the answer ends too early")

// skipTags passes over the tagged fields of a header.
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

// place is what metadata tells about a topic: its id, and the address of each partition's leader,
// empty where there is none.
type place struct {
	id      string
	leaders []string
}

// describe asks a broker about a topic, name with prefix.
func describe(ctx context.Context, broker, clientID, name string) (place, error) {
	w, err := dialWire(ctx, broker, clientID)
	if err != nil {
		return place{}, err
	}
	defer w.close()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(attemptTimeout)
	}
	if err := w.conn.SetDeadline(deadline); err != nil {
		return place{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = w.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	req, resp := kmsg.NewPtrMetadataRequest(), kmsg.NewPtrMetadataResponse()
	req.Version = 12
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &name
	req.Topics = append(req.Topics, t)
	if err := w.ask(req, resp); err != nil {
		return place{}, err
	}
	if len(resp.Topics) != 1 {
		return place{}, fmt.Errorf("topic %s is not known", name)
	}
	found := &resp.Topics[0]
	if found.ErrorCode != 0 {
		return place{}, fmt.Errorf("topic %s: %w", name, kafka.Error(found.ErrorCode))
	}
	addresses := map[int32]string{}
	for _, b := range resp.Brokers {
		addresses[b.NodeID] = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	}
	p := place{id: hex.EncodeToString(found.TopicID[:4]), leaders: make([]string, len(found.Partitions))}
	for _, partition := range found.Partitions {
		if n := int(partition.Partition); n >= 0 && n < len(p.leaders) {
			p.leaders[n] = addresses[partition.Leader]
		}
	}
	return p, nil
}
