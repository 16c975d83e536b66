package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// What feedback measures is what scikit-learn computes of the examples on the topic.
func TestMetricsAreThoseOfScikitLearn(t *testing.T) {
	python := os.Getenv("CLICKLOOP_TEST_SKLEARN")
	if python == "" {
		t.Skip("CLICKLOOP_TEST_SKLEARN is not set: scripts/sklearn.sh build prints its value, scripts/integration.sh sets it")
	}
	alone(t)
	f := func(recording, objective string) {
		t.Helper()
		dir := t.TempDir()
		addresses := filepath.Join(dir, "addresses")
		up := beginWithin(t, 10*time.Minute, "It goes on serving", append([]string{"up", "--replay", recording, "--lockstep", "--addresses", addresses}, services(t)...)...)
		defer up.end(t, os.Kill)
		var examples, stderr bytes.Buffer
		if status := execute(t.Context(), []string{"tail", "examples." + objective, "-o", "beginning", "-e"}, &examples, &stderr); status != 0 {
			t.Fatalf("tail: status %d: %s", status, stderr.String())
		}
		admin := regexp.MustCompile(`(?m)^ADMIN=(.*)$`).FindSubmatch(readFile(t, addresses))
		resp, err := http.Get("http://" + string(admin[1]) + "/v1/evaluation?objective=" + objective)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		evaluation, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), python, "../../scripts/evaluation.py",
			writeFile(t, dir, "examples.jsonl", examples.String()), writeFile(t, dir, "evaluation.json", string(evaluation))).CombinedOutput()
		t.Logf("%s: %s\n%s", recording, evaluation, out)
		if err != nil {
			t.Errorf("%s: %v", recording, err)
		}
	}
	// users are made of columns, so that there are some
	f(copied(t, bank, "ad: term-deposit", "ad: term-deposit\nuser: age"), "conversion")
	f(copied(t, "../../examples/online-shoppers", "ad: shop", "ad: shop\nuser: ProductRelated"), "conversion")
	f(weighted(t), "click")
}

// copied copies a recording with a change of recording.yaml.
func copied(t *testing.T, from, change, by string) (to string) {
	t.Helper()
	to = t.TempDir()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text := readFile(t, filepath.Join(from, f.Name()))
		if f.Name() == "recording.yaml" {
			if !bytes.Contains(text, []byte(change)) {
				t.Fatalf("%s has no %q", f.Name(), change)
			}
			text = bytes.Replace(text, []byte(change), []byte(by), 1)
		}
		writeFile(t, to, f.Name(), string(text))
	}
	return to
}
