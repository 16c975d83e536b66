package features

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/clickloop/clickloop/event"
)

// Redis is a Store in Redis 7.0 or later, or what speaks its protocol. One hash a profile, under
// PREFIX NAMESPACE ":{" KEY "}", and one hash of positions a topic, under PREFIX NAMESPACE
// ":position:" TOPIC-ID. Redis Cluster is not served: a batch is checked and folded over many keys
// at once.
//
// Each call of the script checks the position before it adds anything, so that a Redis that was
// emptied or went back between two calls is noticed, and each profile's fence decides what it still
// needs, so that a crash or a lost reply between any two steps is mended by doing the batch again.
// The client must not retry by itself (MaxRetries -1, see Dial): a retry would hide a lost reply,
// and the position would seem to have moved.
type Redis struct {
	client    *redis.Client
	profiles  string // what a profile's name begins with
	positions string
	ttlMs     int64
}

var _ Store = (*Redis)(nil)

//go:embed apply.lua
var applySource string

var applyScript = redis.NewScript(applySource)

// NewRedis returns a store in client under prefix and namespace, such as "clickloop." and
// "profiles". A profile that no event has touched for ttl is forgotten; 0 keeps it for ever. The
// caller closes the client.
func NewRedis(client *redis.Client, prefix, namespace string, ttl time.Duration) *Redis {
	return &Redis{client: client, profiles: prefix + namespace + profileInfix, positions: prefix + namespace + positionInfix, ttlMs: ttl.Milliseconds()}
}

// What follows the namespace in the names of keys.
const (
	profileInfix  = ":{"
	positionInfix = ":position:"
)

func (s *Redis) profileKey(key string) string { return s.profiles + key + "}" }

func receivedField(partition int) string { return strconv.Itoa(partition) + ".received" }

func collectorsField(partition int) string { return strconv.Itoa(partition) + ".collectors" }

// Position implements Store.
func (s *Redis) Position(ctx context.Context, topicID string, partition int) (Position, error) {
	p := Position{TopicID: topicID, Partition: partition}
	key := s.positions + topicID
	fields := []string{strconv.Itoa(partition), receivedField(partition), collectorsField(partition)}
	values, err := s.client.HMGet(ctx, key, fields...).Result()
	if err != nil {
		return p, fmt.Errorf("cannot read the position of partition %d from Redis: %w", partition, wrongType(err, key))
	}
	received := int64(0)
	for i, to := range []*int64{&p.Next, &received} {
		if *to, err = integerOf(values[i]); err != nil {
			return p, fmt.Errorf("cannot read the position of partition %d: %w", partition, notWhole(key, fields[i], values[i]))
		}
	}
	p.Received = event.Time(received)
	p.Collectors, _ = values[2].(string) // nil when there are none
	return p, nil
}

// integerOf reads a value of HMGET; one that is not there is 0.
func integerOf(value any) (int64, error) {
	s, ok := value.(string)
	if !ok {
		return 0, nil
	}
	return strconv.ParseInt(s, 10, 64)
}

// Watermark implements Store.
func (s *Redis) Watermark(ctx context.Context, topicID string, partitions int) (event.Time, error) {
	if partitions <= 0 {
		return 0, nil
	}
	fields := make([]string, partitions)
	for i := range fields {
		fields[i] = receivedField(i)
	}
	key := s.positions + topicID
	values, err := s.client.HMGet(ctx, key, fields...).Result()
	if err != nil {
		return 0, fmt.Errorf("cannot read the watermark from Redis: %w", wrongType(err, key))
	}
	var lowest int64
	for i, value := range values {
		received, err := integerOf(value)
		if err != nil {
			return 0, fmt.Errorf("cannot read the watermark: %w", notWhole(key, fields[i], value))
		}
		if i == 0 || received < lowest {
			lowest = received
		}
	}
	return event.Time(lowest), nil
}

// readChunk bounds the commands of one pipeline: a reply buffer must not grow with the caller's
// batch.
const readChunk = 200

// Read implements Store. More than 200 keys take more than one round trip.
func (s *Redis) Read(ctx context.Context, keys []string) (map[string]Profile, error) {
	found := make(map[string]Profile, len(keys))
	var bad error
	for len(keys) > 0 {
		n := min(len(keys), readChunk)
		err := s.readChunk(ctx, keys[:n], found)
		var wrong *KeyError
		switch {
		case errors.As(err, &wrong):
			bad = err
		case err != nil:
			return nil, fmt.Errorf("cannot read %d profiles from Redis: %w", n, err)
		}
		keys = keys[n:]
	}
	return found, bad
}

// readChunk adds what keys hold to found. A key that is no hash is there as an unknown profile, and
// the error is a *KeyError.
func (s *Redis) readChunk(ctx context.Context, keys []string, found map[string]Profile) error {
	pipe := s.client.Pipeline()
	replies := make([]*redis.MapStringStringCmd, len(keys))
	for i, key := range keys {
		replies[i] = pipe.HGetAll(ctx, s.profileKey(key))
	}
	_, err := pipe.Exec(ctx)
	if err != nil && !redis.HasErrorPrefix(err, wrongTypePrefix) {
		return err
	}
	var bad error
	for i, reply := range replies {
		fields, err := reply.Result()
		if err != nil {
			if err = wrongType(err, s.profileKey(keys[i])); !errors.As(err, new(*KeyError)) {
				return err
			}
			found[keys[i]], bad = Profile{unknown: true}, err
			continue
		}
		for name := range fields {
			if reservedField(name) {
				delete(fields, name)
			}
		}
		if len(fields) > 0 {
			found[keys[i]] = newProfile(fields)
		}
	}
	return bad
}

const wrongTypePrefix = "WRONGTYPE"

// wrongType names the key of a command that Redis refused because the key is no hash.
func wrongType(err error, key string) error {
	if redis.HasErrorPrefix(err, wrongTypePrefix) {
		return &KeyError{Key: key, Reason: "is no hash"}
	}
	return err
}

func notWhole(key, field string, value any) error {
	return &KeyError{Key: key, Reason: fmt.Sprintf("has %q in field %s, expected a whole number", value, field)}
}
