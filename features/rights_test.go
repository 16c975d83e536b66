package features

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	services "github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/tlsfiles"
	"github.com/redis/go-redis/v9"
)

// granted is a store as a user who has these rights and no more, after ACL SETUSER.
func granted(t *testing.T, s *services.Server, user, namespace string, role Role, rules string) (*Redis, *RedisClient) {
	t.Helper()
	s.Do(t, append([]string{"ACL", "SETUSER", user, "reset", "on", ">word"}, strings.Fields(rules)...)...)
	client, err := DialRedis(RedisConfig{Address: "redis://" + user + ":word@" + s.Address}, role)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return NewRedis(client, "p.", namespace, time.Hour), client
}

// A store does all of its work with the rights that are printed for it; each of them is needed, and
// what is missing is named with the rule that gives it.
func TestAStoreNeedsItsRightsAndNoOthers(t *testing.T) {
	s := services.NewServer(t, nil, tlsfiles.Server{})
	l := wideLog(rand.New(rand.NewPCG(1, 2)), 300)
	for _, role := range []Role{Writing, Serving} {
		rights := RightsOf("p.", "profiles", role)
		store, client := granted(t, s, "all", "profiles", role, rights.String())
		if err := client.Diagnose(t.Context(), rights); err != nil {
			t.Errorf("with all rights: %v", err)
		}
		if _, _, err := ReadCapacity(t.Context(), client); err != nil {
			t.Errorf("memory: %v", err)
		}
		within(t, time.Second, func() error {
			if keys := s.Admin.Keys(t.Context(), "*check*").Val(); len(keys) > 0 {
				return fmt.Errorf("the check leaves %v behind", keys)
			}
			return nil
		})
		if role == Writing {
			s.Do(t, "SCRIPT", "FLUSH") // the source is sent again
			if err := l.fold(t, store, 0, 300); err != nil {
				t.Fatal(err)
			}
		}
		checkFold(t, store, l)
		if _, err := store.Watermark(t.Context(), l.topicID, 1); err != nil {
			t.Error(err)
		}
		if err := l.fold(t, store, 300, 300); role == Serving && err == nil {
			t.Error("a reader may write")
		}
		for _, missing := range rights.Commands {
			without := *rights
			without.Commands = slices.DeleteFunc(slices.Clone(rights.Commands), func(c string) bool { return c == missing })
			_, client := granted(t, s, "some", "profiles", role, without.String())
			if missing == "eval" {
				s.Do(t, "SCRIPT", "FLUSH")
			}
			if missing == "info" {
				_, _, err := ReadCapacity(t.Context(), client)
				isFault(t, "without info", err, "the user some may not run INFO", "ACL SETUSER some +info")
				continue
			}
			wants := []string{"some", "ACL SETUSER some +" + missing}
			isFault(t, "without "+missing, client.Diagnose(t.Context(), rights), wants...)
		}
	}
}

// The check of a ledger's rights finds each that is missing, and names the rule that gives it. The
// ledger's own tests run with these rights and no others.
func TestALedgerNeedsItsRightsAndNoOthers(t *testing.T) {
	s := services.NewServer(t, nil, tlsfiles.Server{})
	rights := LedgerRights("p.")
	_, client := granted(t, s, "all", "ledger", Writing, rights.String())
	if err := client.Diagnose(t.Context(), rights); err != nil {
		t.Errorf("with all rights: %v", err)
	}
	if keys := s.Admin.Keys(t.Context(), "*").Val(); len(keys) > 0 {
		t.Errorf("the check leaves %v behind", keys)
	}
	for _, missing := range rights.Commands {
		without := *rights
		without.Commands = slices.DeleteFunc(slices.Clone(rights.Commands), func(c string) bool { return c == missing })
		_, client := granted(t, s, "some", "ledger", Writing, without.String())
		if missing == "info" { // of ReadCapacity
			continue
		}
		isFault(t, "without "+missing, client.Diagnose(t.Context(), rights), "some", "ACL SETUSER some +"+missing)
	}
	_, client = granted(t, s, "other", "profiles", Writing, RightsOf("p.", "profiles", Writing).String()+" +script|load")
	if err := client.Diagnose(t.Context(), rights); err == nil {
		t.Error("a user of profiles may use the ledger")
	}
}

// Stores of other namespaces and prefixes are closed to a user, whatever it does.
func TestAStoreIsRefusedWhatIsAnothers(t *testing.T) {
	s := services.NewServer(t, nil, tlsfiles.Server{})
	l := randomLog(rand.New(rand.NewPCG(1, 2)), "aaaa", 0, 100)
	folds, _ := granted(t, s, "ingest", "profiles", Writing, RightsOf("p.", "profiles", Writing).String())
	if err := l.fold(t, folds, 0, 100); err != nil {
		t.Fatal(err)
	}
	f := func(user, own string, role Role, namespace string, writes bool) {
		t.Helper()
		_, client := granted(t, s, user, own, role, RightsOf("p.", own, role).String())
		others := NewRedis(client, "p.", namespace, time.Hour)
		_, err := others.Read(t.Context(), []string{"user:1"})
		if own != namespace {
			isFault(t, user+" reads "+namespace, err, "may not use the keys p."+namespace+":*", "ACL SETUSER "+user, "p."+namespace+":*")
		}
		if writes {
			err := l.fold(t, others, 100, 100)
			isFault(t, user+" writes "+namespace, err, user)
			err = client.client.HSet(t.Context(), "p."+namespace+":{user:1}", "n", "7").Err()
			if !redis.HasErrorPrefix(err, "NOPERM") {
				t.Errorf("%s sets %s: %v", user, namespace, err)
			}
		}
		for _, command := range [][]any{{"FLUSHALL"}, {"KEYS", "*"}, {"GET", "x"}, {"CONFIG", "GET", "*"}, {"ACL", "LIST"}, {"DEL", "p.profiles:{user:1}"}, {"PUBLISH", "c", "m"}, {"SCRIPT", "FLUSH"}} {
			if err := client.client.Do(t.Context(), command...).Err(); !redis.HasErrorPrefix(err, "NOPERM") {
				t.Errorf("%s: %v: %v", user, command, err)
			}
		}
	}
	f("scorer", "profiles", Serving, "profiles", true)
	f("scorer", "profiles", Serving, "outcomes", true)
	f("feedback", "outcomes", Writing, "profiles", true)
	f("ingest", "profiles", Writing, "outcomes", true)
	checkFold(t, folds, l)
}

// A user that loses a right while its store is at work is told which, and goes on once it has it.
func TestARightThatIsTakenAwayIsNamedUntilItComesBack(t *testing.T) {
	s := services.NewServer(t, nil, tlsfiles.Server{})
	l := randomLog(rand.New(rand.NewPCG(1, 2)), "aaaa", 0, 100)
	store, _ := granted(t, s, "ann", "profiles", Writing, RightsOf("p.", "profiles", Writing).String())
	if err := l.fold(t, store, 0, 50); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"hdel", "hget", "hmget", "hset", "evalsha"} {
		s.Do(t, "ACL", "SETUSER", "ann", "-"+command)
		err := l.fold(t, store, 50, 100)
		isFault(t, "without "+command, err, "ACL SETUSER ann ")
		if errors.As(err, new(*KeyError)) {
			t.Errorf("without %s: a right that is missing is taken for a wrong key: %v", command, err)
		}
		s.Do(t, "ACL", "SETUSER", "ann", "+"+command)
	}
	if err := l.fold(t, store, 50, 100); err != nil {
		t.Fatal(err)
	}
	checkFold(t, store, l)
}

// The commands of a store's rights, of its check and of its script are the same ones.
func TestRightsHaveEveryCommandOfTheScript(t *testing.T) {
	called := regexp.MustCompile(`redis\.p?call\('([A-Z]+)'`)
	tried := regexp.MustCompile(`try\('([A-Z]+)'`)
	find := func(form *regexp.Regexp, source string) []string {
		found := []string{"eval", "evalsha"}
		for _, m := range form.FindAllStringSubmatch(source, -1) {
			found = append(found, strings.ToLower(m[1]))
		}
		slices.Sort(found)
		return slices.Compact(found)
	}
	writes := slices.Sorted(slices.Values(append(slices.Clone(writeCommands), "hmget")))
	if got := find(called, insertOps(applySource)); !slices.Equal(got, writes) {
		t.Errorf("the script calls %v, the rights have %v", got, writes)
	}
	if got := find(tried, checkSource); !slices.Equal(got, writes) {
		t.Errorf("the check tries %v, the rights have %v", got, writes)
	}
}
