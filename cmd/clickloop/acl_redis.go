package main

import (
	"fmt"
	"io"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/features"
)

// aclRedis prints the command by which an administrator gives user what a stage needs in Redis, and
// nothing more; nothing for a stage that keeps nothing there. It leaves the user's password as it
// is: a new user has none, and nobody can log in as it until it gets one.
func aclRedis(w io.Writer, cfg *config.Config, stage, user string) {
	rights := run.RedisRights(stage, cfg.Kafka.Prefix)
	if rights == nil {
		return
	}
	rules := features.RulesOf(rights...)
	if cfg.Redis.Database() != 0 {
		rules += " +select"
	}
	fmt.Fprintf(w, "ACL SETUSER %s on clearselectors resetkeys resetchannels -@all %s\n", user, rules)
}
