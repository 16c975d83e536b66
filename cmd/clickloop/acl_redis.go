package main

import (
	"cmp"
	"fmt"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
)

// aclRedis returns the commands by which an administrator gives user what a stage needs in Redis,
// and nothing more; none for a stage that keeps nothing there. They leave the user's password as it
// is: a new user has none, and nobody can log in as it until it gets one.
func aclRedis(cfg *config.Config, stage, user string) []string {
	rights := run.RedisRights(stage, cfg.Kafka.Prefix)
	if rights == nil {
		return nil
	}
	rules := rights.String()
	if cfg.Redis.Database() != 0 {
		rules += " +select"
	}
	return []string{fmt.Sprintf("ACL SETUSER %s on clearselectors resetkeys resetchannels -@all %s", cmp.Or(user, "clickloop-"+stage), rules)}
}
