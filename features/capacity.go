package features

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Capacity is what a Redis reports about its memory.
type Capacity struct {
	Used    int64  // bytes
	Max     int64  // maxmemory in bytes; 0: no limit
	Policy  string // maxmemory-policy
	Evicted int64  // keys that were evicted since Redis started, to make room
	Keys    int64  // that it holds, in all its databases
}

// ReadCapacity asks Redis. ok is false for a server that does not report its memory, such as the
// embedded one.
func ReadCapacity(ctx context.Context, client *RedisClient) (c Capacity, ok bool, err error) {
	text, err := client.client.Info(ctx, "memory").Result()
	if err != nil {
		if strings.Contains(err.Error(), "not supported") {
			return c, false, nil
		}
		return c, false, fmt.Errorf("cannot ask Redis for its memory: %w", client.door.explain(err, nil))
	}
	stats, err := client.client.Info(ctx, "stats").Result()
	if err != nil {
		return c, false, fmt.Errorf("cannot ask Redis for its statistics: %w", client.door.explain(err, nil))
	}
	keys, err := client.client.Info(ctx, "keyspace").Result()
	if err != nil {
		return c, false, fmt.Errorf("cannot ask Redis for its number of keys: %w", client.door.explain(err, nil))
	}
	return parseCapacity(text + "\n" + stats + "\n" + keys)
}

// parseCapacity reads the answers of INFO; ok is false when they lack used_memory.
func parseCapacity(text string) (c Capacity, ok bool, err error) {
	numbers := map[string]*int64{"used_memory": &c.Used, "maxmemory": &c.Max, "evicted_keys": &c.Evicted}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "maxmemory_policy" {
			c.Policy = value
		}
		if n := keysOf(name, value); n >= 0 {
			c.Keys += n
		}
		if number := numbers[name]; number != nil {
			if *number, err = strconv.ParseInt(value, 10, 64); err != nil {
				return c, false, fmt.Errorf("cannot read Redis's %s: %w", name, err)
			}
			ok = ok || name == "used_memory"
		}
	}
	return c, ok, nil
}

// keysOf reads the number of keys of a database, from a line such as db0:keys=12,expires=3; -1 for
// other lines.
func keysOf(name, value string) int64 {
	if !strings.HasPrefix(name, "db") {
		return -1
	}
	first, _, _ := strings.Cut(value, ",")
	text, found := strings.CutPrefix(first, "keys=")
	n, err := strconv.ParseInt(text, 10, 64)
	if !found || err != nil {
		return -1
	}
	return n
}

// fullShare is the share of maxmemory from which on a Redis counts as full: folds fail a moment
// later.
const fullShare = 0.97

// Faults says what is wrong and how to repair it: evicted keys, a policy that would evict keys, and
// memory that has run out. Redis had evicted 'before' keys when the caller began to watch it.
func (c Capacity) Faults(before int64) []string {
	var faults []string
	if c.Evicted > before {
		faults = append(faults, fmt.Sprintf("it has evicted %d keys: profiles lack what these counted, and labels their outcomes; "+
			"set maxmemory-policy noeviction and more maxmemory, then empty it: everything is folded again from the events", c.Evicted-before))
	}
	if c.Policy != "" && c.Policy != "noeviction" {
		faults = append(faults, fmt.Sprintf("its maxmemory-policy is %s: profiles vanish when its memory is full (mend it with: redis-cli config set maxmemory-policy noeviction)", c.Policy))
	}
	if c.Max > 0 && float64(c.Used) >= fullShare*float64(c.Max) {
		faults = append(faults, fmt.Sprintf("its memory is full: %d of %d bytes are used, and nothing more can be folded (mend it with: redis-cli config set maxmemory BYTES)", c.Used, c.Max))
	}
	return faults
}
