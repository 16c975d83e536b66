package features

import (
	"context"
	_ "embed"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Rights are what a user of Redis needs for one store: the keys and commands of its ACL.
type Rights struct {
	Keys     string   // what the keys begin with
	Writes   bool     // else the keys are read only
	Commands []string // in lower case
	ledger   bool     // of the bidder's ledger, whose script is another
}

// Commands of a store. Those of a script are checked by Redis as if the user had sent them.
var (
	readCommands  = []string{"hgetall", "hmget"}
	writeCommands = []string{"eval", "evalsha", "hdel", "hget", "hincrby", "hset", "pexpire", "type"} // of apply.lua
	watchCommands = []string{"info", "ping"}                                                          // of RedisClient
)

// RightsOf returns the rights of a store under prefix and namespace that is used in a role.
func RightsOf(prefix, namespace string, role Role) *Rights {
	r := &Rights{Keys: prefix + namespace + ":", Writes: role == Writing, Commands: slices.Concat(readCommands, watchCommands)}
	if r.Writes {
		r.Commands = append(r.Commands, writeCommands...)
	}
	slices.Sort(r.Commands)
	return r
}

// ledgerCommands are those of the bidder's ledger. Its script is loaded and never sent, see
// bidder/ledger.
var ledgerCommands = []string{"evalsha", "script|load", "del", "exists", "get", "hdel", "hget", "hmget", "hset", "set", "zadd", "zcount", "zrangebyscore", "zrem", "zremrangebyscore", "zscore"}

// LedgerRights returns the rights of the bidder's ledger of budgets and caps under a prefix.
func LedgerRights(prefix string) *Rights {
	r := &Rights{Keys: prefix + "ledger:", Writes: true, Commands: slices.Concat(ledgerCommands, watchCommands), ledger: true}
	slices.Sort(r.Commands)
	return r
}

// pattern is the ACL's rule for the keys.
func (r *Rights) pattern() string {
	if r.Writes {
		return "~" + r.Keys + "*"
	}
	return "%R~" + r.Keys + "*"
}

// RulesOf returns the rules of an ACL that give several rights to one user.
func RulesOf(all ...*Rights) string {
	var patterns, commands []string
	for _, r := range all {
		patterns, commands = append(patterns, r.pattern()), append(commands, r.Commands...)
	}
	slices.Sort(commands)
	return strings.Join(patterns, " ") + " +" + strings.Join(slices.Compact(commands), " +")
}

// String returns the rules of an ACL that give these rights to a user who has none, as ACL SETUSER
// takes them.
func (r *Rights) String() string { return RulesOf(r) }

//go:embed check.lua
var checkSource string

var checkScript = redis.NewScript(checkSource)

//go:embed check_ledger.lua
var checkLedgerSource string

// tryLedger uses every right that a ledger needs but INFO.
func (c *RedisClient) tryLedger(ctx context.Context, rights *Rights) error {
	sha, err := c.client.ScriptLoad(ctx, checkLedgerSource).Result()
	if err != nil {
		return err
	}
	return c.client.EvalSha(ctx, sha, []string{rights.Keys + "check"}).Err()
}

// try uses every right that a store needs but INFO, on a key of its own, and leaves nothing behind.
func (c *RedisClient) try(ctx context.Context, rights *Rights) error {
	if rights.ledger {
		return c.tryLedger(ctx, rights)
	}
	key := rights.Keys + "position:check"
	if err := c.client.HMGet(ctx, key, "0").Err(); err != nil {
		return err
	}
	if err := c.client.HGetAll(ctx, key).Err(); err != nil || !rights.Writes {
		return err
	}
	return checkScript.Run(ctx, c.client, []string{key}).Err()
}
