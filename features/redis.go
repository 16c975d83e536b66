package features

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/clickloop/clickloop/event"
)

// Redis is a Store in Redis 7.0 or later, or in a server that speaks its protocol. A profile is one
// hash, under PREFIX NAMESPACE ":{" KEY "}", and the positions of a topic are one hash, under
// PREFIX NAMESPACE ":position:" TOPIC-ID. Redis Cluster is not served: one call checks and folds
// many keys.
//
// Each call of the script checks the position before it adds anything, so it notices a Redis that
// was emptied or restored between two calls. Each profile's fence decides which updates it still
// needs, so after a crash or a lost reply between any two steps the batch is simply folded again.
//
// The client must not retry by itself (see Writing): a retry would hide a lost reply, and the
// position would seem to have moved.
type Redis struct {
	client    *redis.Client
	lanes     *lanes // of a Serving client; nil: reads go through client
	observer  *redisObserver
	door      *redisDoor
	rights    *Rights
	profiles  string // beginning of a profile's key
	positions string // beginning of the key of a topic's positions
	ttlMs     int64
}

var _ Store = (*Redis)(nil)

// NewRedis returns a store in client under prefix and namespace, such as "clickloop." and
// "profiles". A profile that no event has touched for ttl is forgotten; 0 keeps it for ever. The
// caller closes the client.
func NewRedis(client *RedisClient, prefix, namespace string, ttl time.Duration) *Redis {
	return &Redis{
		client: client.client, lanes: client.lanes, observer: client.observer, door: client.door, rights: RightsOf(prefix, namespace, client.role),
		profiles: prefix + namespace + profileInfix, positions: prefix + namespace + positionInfix, ttlMs: ttl.Milliseconds(),
	}
}

// What follows the namespace in keys.
const (
	profileInfix  = ":{"
	positionInfix = ":position:"
)

// KindOfKey returns the prefix and namespace of a profile's key. It returns nothing for other keys,
// such as positions: a store can lose a profile, which then begins anew, but not a position.
func KindOfKey(key string) string {
	kind, _, found := strings.Cut(key, profileInfix)
	if !found || !strings.HasSuffix(key, "}") {
		return ""
	}
	return kind
}

// explain returns a fault of credentials or rights in plain words, and other errors as they are.
func (s *Redis) explain(err error) error { return s.door.explain(err, s.rights) }

func (s *Redis) profileKey(key string) string { return s.profiles + key + "}" }

func receivedField(partition int) string { return strconv.Itoa(partition) + ".received" }

func collectorsField(partition int) string { return strconv.Itoa(partition) + ".collectors" }

// Position implements Store.
func (s *Redis) Position(ctx context.Context, topicID string, partition int) (Position, error) {
	p := Position{TopicID: topicID, Partition: partition}
	numbers, values, err := s.readPositions(ctx, topicID, 2, strconv.Itoa(partition), receivedField(partition), collectorsField(partition))
	if err != nil {
		return p, fmt.Errorf("cannot read the position of partition %d from Redis: %w", partition, err)
	}
	p.Next, p.Received = numbers[0], event.Time(numbers[1])
	p.Collectors, _ = values[2].(string) // nil when there are none
	return p, nil
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
	received, _, err := s.readPositions(ctx, topicID, partitions, fields...)
	if err != nil {
		return 0, fmt.Errorf("cannot read the watermark from Redis: %w", err)
	}
	return event.Time(slices.Min(received)), nil
}

// readPositions reads fields of a topic's positions, of which the first n hold whole numbers. A
// missing one is 0, or nil among the values.
func (s *Redis) readPositions(ctx context.Context, topicID string, n int, fields ...string) (numbers []int64, values []any, err error) {
	key := s.positions + topicID
	if values, err = s.client.HMGet(ctx, key, fields...).Result(); err != nil {
		return nil, nil, s.explain(wrongType(err, key))
	}
	numbers = make([]int64, n)
	for i := range numbers {
		text, ok := values[i].(string)
		if numbers[i], err = strconv.ParseInt(text, 10, 64); ok && err != nil {
			return nil, nil, &KeyError{Key: key, Reason: fmt.Sprintf("has %q in field %s, expected a whole number", text, fields[i])}
		}
	}
	return numbers, values, nil
}

// readChunk bounds the commands of one pipeline, so that the reply's buffer does not grow with the
// caller's batch.
const readChunk = 200

// Read implements Store. A Serving client asks for all keys at once, and returns what has come when
// ctx ends. Another one takes a round trip for each 200 keys, and returns all or nothing.
func (s *Redis) Read(ctx context.Context, keys []string) (map[string]Profile, error) {
	found := make(map[string]Profile, len(keys))
	var bad error
	if s.lanes != nil && len(keys) > 0 {
		began := time.Now()
		err := s.lanes.read(ctx, s.profiles, keys, found)
		s.observer.done(began, err)
		switch {
		case err == nil, errors.As(err, new(*KeyError)):
			return found, err
		case ctx.Err() == nil:
			found = nil
		}
		return found, fmt.Errorf("cannot read %d profiles from Redis: %w", len(keys), s.explain(err))
	}
	for chunk := range slices.Chunk(keys, readChunk) {
		err := s.readChunk(ctx, chunk, found)
		switch {
		case errors.As(err, new(*KeyError)):
			bad = err
		case err != nil:
			return nil, fmt.Errorf("cannot read %d profiles from Redis: %w", len(chunk), s.explain(err))
		}
	}
	return found, bad
}

// readChunk adds the profiles of keys to found. For a key that is no hash it adds an unknown
// profile, and returns a *KeyError.
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
		maps.DeleteFunc(fields, func(name, _ string) bool { return reservedField(name) })
		if len(fields) > 0 {
			found[keys[i]] = newProfile(fields)
		}
	}
	return bad
}

const wrongTypePrefix = "WRONGTYPE"

// wrongType makes Redis' complaint that key is no hash a *KeyError; other errors stay as they are.
func wrongType(err error, key string) error {
	if redis.HasErrorPrefix(err, wrongTypePrefix) {
		return &KeyError{Key: key, Reason: "is no hash"}
	}
	return err
}
