package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/stream"
)

const aclExamples = `  clickloop acl scorer --config clickloop.yaml                    for the user "scorer"
  clickloop acl scorer --config clickloop.yaml --user CN=scorer   for a client certificate's subject
  clickloop acl analyst --config clickloop.yaml                   for the commands tail, report, model and doctor
`

// aclCommand prints the commands that give a user what a stage needs, and nothing more. It asks no
// service: the commands depend on the configuration alone.
func aclCommand(_ context.Context, args []string, stdout, stderr io.Writer) error {
	fs := newFlags("acl", "acl STAGE [flags]", aclExamples, stderr)
	common := config.CommonFlags(fs)
	user := fs.String("user", "", "`name` of the stage's user in Kafka and Redis (default: the stage's name)")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	users := append(slices.Clone(run.Stages), run.Bidder, run.Dashboard, run.Analyst)
	if len(rest) != 1 || !slices.Contains(users, rest[0]) {
		return misused(stderr, "acl", "name one of %s", strings.Join(users, ", "))
	}
	cfg, err := common.Load()
	if err != nil {
		return err
	}
	if *user == "" {
		*user = rest[0]
	}
	if strings.ContainsAny(*user, "'\n") {
		return misused(stderr, "acl", "--user %q holds a quotation mark or a new line", *user)
	}
	aclKafka(stdout, &cfg, rest[0], *user)
	aclRedis(stdout, &cfg, rest[0], *user)
	return nil
}

// aclKafka prints a command for all topics, or groups, that need the same operations.
func aclKafka(w io.Writer, cfg *config.Config, stage, user string) {
	client := cfg.Kafka.Client("")
	needs := run.Needs(stage, cfg)
	for len(needs) > 0 {
		first := needs[0]
		same := func(n stream.Need) bool {
			return n.Group == first.Group && slices.Equal(n.Operations, first.Operations)
		}
		var alike []stream.Need
		for _, n := range needs {
			if same(n) {
				alike = append(alike, n)
			}
		}
		fmt.Fprintln(w, client.GrantCommand("User:"+user, alike...))
		needs = slices.DeleteFunc(needs, same)
	}
}
