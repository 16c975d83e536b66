package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/running"
)

// secretWord is in every secret of these tests, and in nothing else.
const secretWord = "hunter2"

// secretSource is a way to give a secret to a program.
type secretSource struct {
	by       string
	args     []string
	variable string // its name
	value    string // of the variable
}

// redisSecrets are all sources of the password of a Redis at an address.
func redisSecrets(t *testing.T, address string) []secretSource {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	url := "redis://ann:" + secretWord + "@" + address
	password := write("password", secretWord+"\n")
	return []secretSource{
		{by: "a flag", args: []string{"--redis", url}},
		{by: "a flag with =", args: []string{"--redis=" + url}},
		{by: "the variable of the address", variable: "CLICKLOOP_REDIS", value: url},
		{by: "the variable of the password", args: []string{"--config", write("user.yaml", "redis: {address: '"+address+"', username: ann}\n")}, variable: "CLICKLOOP_REDIS_PASSWORD", value: secretWord},
		{by: "an address in a file", args: []string{"--config", write("url.yaml", "redis: {address: '"+url+"'}\n")}},
		{by: "a file of the password", args: []string{"--config", write("file.yaml", "redis: {address: '"+address+"', username: ann, password_file: "+password+"}\n")}},
	}
}

// Whatever gives a secret: no log, error, metric, answer, file or process list tells it.
func TestNothingTellsASecretWhereverItIsGiven(t *testing.T) {
	alone(t)
	m := miniredis.RunT(t)
	m.RequireUserAuth("ann", secretWord)
	for _, given := range redisSecrets(t, m.Addr()) {
		t.Run(given.by, func(t *testing.T) {
			if given.variable != "" {
				t.Setenv(given.variable, given.value)
			}
			data, texts := t.TempDir(), map[string]string{}
			addresses := filepath.Join(data, "addresses")
			p := begin(t, "Redis is the one at", append([]string{"up", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", data, "--addresses", addresses, "--verbose"}, given.args...)...)
			for running.In(data) == nil {
				<-time.After(10 * time.Millisecond)
			}
			up := running.In(data)
			kafka := []string{"--kafka", strings.Join(up.Kafka, ",")}
			scorer := begin(t, "listens on", append(append([]string{"scorer", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--verbose"}, kafka...), given.args...)...)
			texts["doctor"] = answer(t, 0, append(append([]string{"doctor"}, kafka...), given.args...)...)
			for _, path := range []string{"/metrics", "/readyz", "/healthz", "/", "/v1/clock", "/v1/model?objective=click", "/debug/pprof/cmdline"} {
				texts[path] = "status and body: " + get(t, up.HTTP, path) + get(t, up.Admin, path)
			}
			if runtime.GOOS == "linux" {
				for name, pid := range map[string]int{"up": p.cmd.Process.Pid, "scorer": scorer.cmd.Process.Pid} {
					texts[name+" in the process list"] = string(readFile(t, fmt.Sprintf("/proc/%d/cmdline", pid)))
				}
			}
			texts["addresses"], texts["state"] = string(readFile(t, addresses)), string(readFile(t, filepath.Join(data, running.File)))
			m.SetError("WRONGPASS the password was changed")
			texts["/readyz with errors"] = get(t, up.HTTP, "/readyz") + get(t, up.Admin, "/readyz")
			<-time.After(100 * time.Millisecond) // the log of the errors
			m.SetError("")
			scorer.end(t, syscall.SIGTERM)
			p.end(t, syscall.SIGTERM)
			texts["scorer"], texts["up"] = scorer.printed(), p.printed()
			for what, text := range texts {
				if strings.Contains(text, secretWord) || text == "" {
					t.Errorf("%s: %q", what, text)
				}
			}
		})
	}
}

// A wrong secret, and one in the wrong place, is told by its place and not by its text. A printed
// configuration tells none.
func TestNoErrorTellsASecret(t *testing.T) {
	alone(t)
	m := miniredis.RunT(t)
	m.RequireUserAuth("ann", "other")
	for _, given := range redisSecrets(t, m.Addr()) {
		t.Run(given.by, func(t *testing.T) {
			if given.variable != "" {
				t.Setenv(given.variable, given.value)
			}
			text := answer(t, 1, append([]string{"doctor", "--kafka", "127.0.0.1:1"}, given.args...)...)
			if strings.Contains(text, secretWord) || !strings.Contains(text, "refuses the password of the user ann") {
				t.Errorf("doctor says %s", text)
			}
			fs := newFlags("test", "", "", io.Discard)
			common := config.CommonFlags(fs)
			if err := fs.Parse(given.args); err != nil {
				t.Fatal(err)
			}
			cfg, err := common.Load()
			if err != nil {
				t.Fatal(err)
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
				for _, value := range []any{cfg, &cfg, cfg.Redis, struct{ hidden config.Config }{cfg}} {
					if text := fmt.Sprintf(verb, value); strings.Contains(text, secretWord) {
						t.Errorf("%s prints %s", verb, text)
					}
				}
			}
		})
	}
	for _, args := range [][]string{
		{"scorer", "--kafka", "127.0.0.1:1", "--redis", "redis://ann:hunter2@h:x"}, {"doctor", "--redis", "redis://" + m.Addr() + "?password=hunter2"},
		{"doctor", "--kafka", "ann:hunter2@127.0.0.1:1"}, {"doctor", "--redis", "redis://ann:hunter2 x@h"}, {"doctor", "--redis", "redis://ann:hun%zzhunter2@h"},
		{"doctor", "--redis", "ann:hunter2@h:1"}, {"up", "--redis", "http://ann:hunter2@h:1"},
	} {
		if text := answer(t, 1, args...); strings.Contains(text, secretWord) {
			t.Errorf("%v: %s", args, text)
		}
	}
}

// get returns the body of an answer, whatever its status.
func get(t *testing.T, host, path string) string {
	t.Helper()
	resp, err := http.Get("http://" + host + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
