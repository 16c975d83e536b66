package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Survey asks how far topics are written and how far groups have read them. It is for whoever asks
// again and again: it keeps a connection to each broker, and one request to a broker asks about all
// of its partitions. It repeats nothing: a caller that asks every second has no use for an answer
// that comes late. It serves one goroutine.
type Survey struct {
	client       *Client
	wires        map[string]*wire  // by address
	coordinators map[string]string // addresses by group
}

// NewSurvey returns a Survey without connections. Its caller closes it.
func (c *Client) NewSurvey() *Survey {
	return &Survey{client: c, wires: map[string]*wire{}, coordinators: map[string]string{}}
}

// Close ends the connections.
func (s *Survey) Close() error {
	var err error
	for address := range s.wires {
		err = errors.Join(err, s.drop(address))
	}
	return err
}

func (s *Survey) drop(address string) error {
	w := s.wires[address]
	delete(s.wires, address)
	clear(s.coordinators) // a broker that is gone coordinates no group
	if w == nil {
		return nil
	}
	return w.close()
}

// ask sends a request to the broker at address, over the connection that is there or a new one.
func (s *Survey) ask(ctx context.Context, address string, req kmsg.Request, resp kmsg.Response) error {
	w := s.wires[address]
	if w == nil {
		var err error
		dial, cancel := context.WithTimeout(ctx, dialTimeout)
		w, err = s.client.connect(dial, address)
		cancel()
		if err != nil {
			return err
		}
		s.wires[address] = w
	}
	stop, err := w.bound(ctx, attemptTimeout)
	if err == nil {
		err = w.ask(req, resp)
		stop()
	}
	if err != nil { // what is left of an answer must not become the next one's
		return errors.Join(fmt.Errorf("no answer from Kafka at %s: %w", address, err), s.drop(address))
	}
	return nil
}

// askAny sends a request to the first broker that answers.
func (s *Survey) askAny(ctx context.Context, req kmsg.Request, resp kmsg.Response) error {
	var err error
	for _, address := range s.client.cfg.Brokers {
		if err = s.ask(ctx, address, req, resp); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// Ranges returns the offsets of every partition of topics, up to where readers may read. Topics
// that do not exist are left out. The error names topics that could not be asked about, also where
// others could: an *AccessError for those that this client may not describe.
func (s *Survey) Ranges(ctx context.Context, topics ...string) (map[string][]Range, error) {
	leaders, err := s.leaders(ctx, topics)
	if leaders == nil {
		return nil, err
	}
	found := map[string][]Range{}
	byBroker := map[string]map[string][]int{}
	for topic, addresses := range leaders {
		found[topic] = make([]Range, len(addresses))
		for p, address := range addresses {
			if byBroker[address] == nil {
				byBroker[address] = map[string][]int{}
			}
			byBroker[address][topic] = append(byBroker[address][topic], p)
		}
	}
	for address, asked := range byBroker {
		first, faults, e := s.listOffsets(ctx, address, asked, timeFirst)
		if e != nil {
			return nil, errors.Join(err, e)
		}
		end, more, e := s.listOffsets(ctx, address, asked, timeEnd)
		if e != nil {
			return nil, errors.Join(err, e)
		}
		if faults == nil { // else both say the same
			faults = more
		}
		err = errors.Join(err, faults)
		for topic, partitions := range asked {
			for _, p := range partitions {
				from, known := first[topic][p]
				to, too := end[topic][p]
				if ranges := found[topic]; known && too && ranges != nil {
					ranges[p] = Range{from, to}
				} else {
					delete(found, topic) // a part of a topic would pass for all of it
				}
			}
		}
	}
	return found, err
}

// leaders returns the addresses of the leaders of topics' partitions. It returns nil when no broker
// answers.
func (s *Survey) leaders(ctx context.Context, topics []string) (map[string][]string, error) {
	req, resp := kmsg.NewPtrMetadataRequest(), kmsg.NewPtrMetadataResponse()
	req.Version, req.AllowAutoTopicCreation = 9, false
	of := map[string]string{}
	for _, topic := range topics {
		t, name := kmsg.NewMetadataRequestTopic(), s.client.name(topic)
		t.Topic = &name
		req.Topics = append(req.Topics, t)
		of[name] = topic
	}
	if err := s.askAny(ctx, req, resp); err != nil {
		return nil, err
	}
	addresses := map[int32]string{}
	for _, b := range resp.Brokers {
		addresses[b.NodeID] = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	}
	var faults error
	found := map[string][]string{}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.Topic == nil || of[*t.Topic] == "" {
			continue
		}
		topic := of[*t.Topic]
		switch code := kafka.Error(t.ErrorCode); {
		case code == kafka.UnknownTopicOrPartition:
		case code != 0:
			faults = errors.Join(faults, s.client.denied(fmt.Errorf("topic %s: %w", *t.Topic, code), Need{Name: topic, Operations: []string{OpDescribe}}))
		default:
			leaders := make([]string, len(t.Partitions))
			whole := true
			for _, p := range t.Partitions {
				if n := int(p.Partition); n >= 0 && n < len(leaders) {
					leaders[n] = addresses[p.Leader]
				}
			}
			for p, address := range leaders {
				if whole = whole && address != ""; address == "" {
					faults = errors.Join(faults, fmt.Errorf("topic %s partition %d has no leader", *t.Topic, p))
				}
			}
			if whole {
				found[topic] = leaders
			}
		}
	}
	return found, faults
}

// listOffsets asks one broker for an offset of partitions: timeFirst, or timeEnd. Partitions that
// it cannot tell, as while leaders move, are left out and named in faults.
func (s *Survey) listOffsets(ctx context.Context, address string, asked map[string][]int, at int64) (found map[string]map[int]int64, faults, err error) {
	req, resp := kmsg.NewPtrListOffsetsRequest(), kmsg.NewPtrListOffsetsResponse()
	req.Version, req.ReplicaID, req.IsolationLevel = offsetsVersion, -1, readCommitted
	for topic, partitions := range asked {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = s.client.name(topic)
		for _, partition := range partitions {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp, p.CurrentLeaderEpoch = int32(partition), at, -1
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	if err := s.ask(ctx, address, req, resp); err != nil {
		return nil, nil, err
	}
	found = map[string]map[int]int64{}
	for topic := range asked {
		found[topic] = map[int]int64{}
	}
	for i := range resp.Topics {
		name := resp.Topics[i].Topic
		for _, p := range resp.Topics[i].Partitions {
			if p.ErrorCode != 0 {
				faults = errors.Join(faults, s.client.denied(fmt.Errorf("topic %s partition %d: %w", name, p.Partition, kafka.Error(p.ErrorCode)),
					Need{Name: name[len(s.client.cfg.Prefix):], Operations: []string{OpDescribe}}))
				continue
			}
			if of := found[name[len(s.client.cfg.Prefix):]]; of != nil {
				of[int(p.Partition)] = p.Offset
			}
		}
	}
	return found, faults, nil
}

// Committed returns the offsets that a group has committed for the first n partitions of topic: the
// next to read, and -1 where it has committed none. An *AccessError says that this client may not
// describe the group.
func (s *Survey) Committed(ctx context.Context, group, topic string, n int) ([]int64, error) {
	address, err := s.coordinator(ctx, group)
	if err != nil {
		return nil, err
	}
	req, resp := kmsg.NewPtrOffsetFetchRequest(), kmsg.NewPtrOffsetFetchResponse()
	req.Version, req.Group = 5, s.client.name(group)
	t := kmsg.NewOffsetFetchRequestTopic()
	t.Topic = s.client.name(topic)
	for p := range n {
		t.Partitions = append(t.Partitions, int32(p))
	}
	req.Topics = append(req.Topics, t)
	if err := s.ask(ctx, address, req, resp); err != nil {
		return nil, err
	}
	code := kafka.Error(resp.ErrorCode)
	if code == kafka.GroupIdNotFound { // some brokers say so of a group without members and offsets
		code = 0
	}
	committed := make([]int64, n)
	for p := range committed {
		committed[p] = -1
	}
	for i := range resp.Topics {
		for _, p := range resp.Topics[i].Partitions {
			if p.ErrorCode != 0 {
				code = kafka.Error(p.ErrorCode)
			}
			if p.Partition >= 0 && int(p.Partition) < n {
				committed[p.Partition] = p.Offset
			}
		}
	}
	if code != 0 {
		delete(s.coordinators, group) // another broker may have the group now
		return nil, s.client.denied(fmt.Errorf("group %s: %w", req.Group, code), Need{Group: true, Name: group, Operations: []string{OpDescribe}})
	}
	return committed, nil
}

// coordinator returns the address of the broker that keeps a group's offsets.
func (s *Survey) coordinator(ctx context.Context, group string) (string, error) {
	if address := s.coordinators[group]; address != "" {
		return address, nil
	}
	req, resp := kmsg.NewPtrFindCoordinatorRequest(), kmsg.NewPtrFindCoordinatorResponse()
	req.Version, req.CoordinatorKey = 2, s.client.name(group)
	if err := s.askAny(ctx, req, resp); err != nil {
		return "", err
	}
	if code := kafka.Error(resp.ErrorCode); code != 0 {
		return "", s.client.denied(fmt.Errorf("group %s: %w", req.CoordinatorKey, code), Need{Group: true, Name: group, Operations: []string{OpDescribe}})
	}
	address := net.JoinHostPort(resp.Host, strconv.Itoa(int(resp.Port)))
	s.coordinators[group] = address
	return address, nil
}
