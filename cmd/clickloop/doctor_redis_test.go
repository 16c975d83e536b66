package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/internal/backend"
)

// granted makes a user of Redis as `clickloop acl` says, with a password of its own.
func granted(t *testing.T, s *backend.Server, stage, prefix string) (user string) {
	t.Helper()
	cfg := config.Default()
	cfg.Kafka.Prefix = prefix
	var out bytes.Buffer
	aclRedis(&out, &cfg, stage, stage)
	s.Do(t, strings.Fields(out.String())...)
	s.Do(t, "ACL", "SETUSER", stage, ">word-of-"+stage)
	return stage
}

func TestRightsOfEachStageInRedis(t *testing.T) {
	f := func(stage, address, want string) {
		t.Helper()
		cfg := config.Default()
		cfg.Redis.Address = address
		var out bytes.Buffer
		aclRedis(&out, &cfg, stage, "ann")
		if got := strings.TrimSpace(out.String()); got != want {
			t.Errorf("%s: %s, want %s", stage, got, want)
		}
	}
	const begin = "ACL SETUSER ann on clearselectors resetkeys resetchannels -@all "
	const writes = " +eval +evalsha +hdel +hget +hgetall +hincrby +hmget +hset +info +pexpire +ping +type"
	f("ingest", "", begin+"~clickloop.profiles:*"+writes)
	f("feedback", "", begin+"~clickloop.outcomes:*"+writes)
	f("scorer", "", begin+"%R~clickloop.profiles:* +hgetall +hmget +info +ping")
	f("scorer", "rediss://h/3", begin+"%R~clickloop.profiles:* +hgetall +hmget +info +ping +select")
	f("analyst", "", begin+"%R~clickloop.profiles:* +hmget +info +ping")
	f("learner", "", "")
}

// Six mistakes, and what doctor and a stage say of each. Both end within seconds.
func TestDoctorAndStagesNameWhatIsWrongWithRedis(t *testing.T) {
	alone(t)
	ours, other := backend.NewAuthority(t), backend.NewAuthority(t)
	s := backend.NewServer(t, ours, ours.Server(t, time.Now().Add(time.Hour)), "--tls-auth-clients", "no")
	expired := ours.Server(t, time.Now().Add(-time.Hour))
	old := backend.NewServer(t, ours, expired, "--tls-auth-clients", "no")
	prefix := backend.Prefix(t)
	kafka := strings.Join(backend.Kafka(t), ",")
	answer(t, 0, "topics", "--kafka", kafka, "--prefix", prefix)
	s.Do(t, "ACL", "SETUSER", "poor", "on", ">word-of-poor", "~*", "+ping", "+info")
	for _, stage := range []string{"ingest", "scorer", "feedback"} {
		granted(t, s, stage, prefix)
	}
	s.Do(t, "ACL", "SETUSER", "default", "resetpass")
	write := func(user, password, address, tls string) string {
		dir := t.TempDir()
		text := "redis:\n  address: " + address + "\n  tls: {enabled: true, " + tls + "}\n"
		if user != "" {
			text += "  username: " + user + "\n  password_file: " + filepath.Join(dir, "password") + "\n"
			if err := os.WriteFile(filepath.Join(dir, "password"), []byte(password+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(dir, "f.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	trust := "ca_file: " + ours.CAFile
	for _, c := range []struct {
		what, file string
		doctor     bool // sees it
		wants      []string
	}{
		{"expired", write("scorer", "word-of-scorer", old.Address, trust), true, []string{"certificate expired at ", "renew it on the server"}},
		{"unknown authority", write("scorer", "word-of-scorer", s.Address, "ca_file: "+other.CAFile), true, []string{"authority that is not known", "redis.tls.ca_file"}},
		{"wrong name", write("scorer", "word-of-scorer", s.Address, trust+", server_name: redis.test"), true, []string{"not for redis.test, only for localhost, 127.0.0.1", "redis.tls.server_name"}},
		{"wrong password", write("scorer", "word-of-hunter2", s.Address, trust), true, []string{"refuses the password of the user scorer", "redis.password_file"}},
		{"no password", write("", "", s.Address, trust), true, []string{"wants a password, and none is given", "redis.password_file"}},
		{"missing ACL", write("poor", "word-of-poor", s.Address, trust), true, []string{"the user poor may not run HMGET", "ACL SETUSER poor +hmget"}},
		{"another stage's user", write("feedback", "word-of-feedback", s.Address, trust), false, []string{"may not use the keys " + prefix + "profiles:*", "ACL SETUSER feedback %R~" + prefix + "profiles:*"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			flags := []string{"--config", c.file, "--kafka", kafka, "--prefix", prefix}
			began := time.Now()
			stage := answer(t, 1, append([]string{"scorer", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, flags...)...)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("the stage ended after %v", took)
			}
			doctor := answer(t, 1, append([]string{"doctor"}, flags...)...) // the weights are missing, too
			for _, want := range c.wants {
				if !strings.Contains(stage, want) {
					t.Errorf("the scorer says %s, want %s", stage, want)
				}
				if c.doctor && !strings.Contains(doctor, want) {
					t.Errorf("doctor says %s, want %s", doctor, want)
				}
			}
			if strings.Contains(stage+doctor, "word-of") {
				t.Errorf("a password is told: %s %s", stage, doctor)
			}
		})
	}
	for _, stage := range run.Stages { // each with its own user, the learner without Redis
		args := []string{stage, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--kafka", kafka, "--prefix", prefix}
		if run.HasStore(stage) {
			args = append(args, "--config", write(stage, "word-of-"+stage, s.Address, trust))
		}
		begin(t, "listens on", args...).end(t, syscall.SIGTERM)
	}
}
