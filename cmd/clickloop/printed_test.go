package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// printedCommands are the commands that documents and help tell people to run.
func printedCommands(t *testing.T) []string {
	t.Helper()
	var found []string
	documents, err := filepath.Glob("../../examples/*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, found...)
	}
	for _, path := range append(documents, "../../docker-compose.yml") {
		text := string(readFile(t, path))
		for _, m := range regexp.MustCompile("`((?:bin/)?clickloop [a-z][^`]*)`|(?m)^    ((?:bin/)?clickloop .*)$").FindAllStringSubmatch(text, -1) {
			found = append(found, m[1]+m[2])
		}
	}
	for _, c := range commands() {
		var out bytes.Buffer
		execute(t.Context(), []string{c.name, "--help"}, io.Discard, &out)
		examples, _, _ := strings.Cut(out.String(), "flags:")
		for _, m := range regexp.MustCompile(`(?m)^  (clickloop .*?)(?:  .*)?$`).FindAllStringSubmatch(examples, -1) {
			found = append(found, m[1])
		}
	}
	return found
}

// What is printed can be run as it stands: a shell reads it as meant, and the command knows its
// flags and takes their values.
func TestCommandsThatDocumentsPrintAreUnderstood(t *testing.T) {
	found := printedCommands(t)
	if len(found) < 40 {
		t.Fatalf("%d commands are found", len(found))
	}
	dir := t.TempDir()
	for _, text := range found {
		command, _, _ := strings.Cut(text, " | ")
		if strings.ContainsAny(command, "[|") || strings.Contains(command, "...") {
			continue // a form, not a command
		}
		sh := exec.Command("sh", "-c", `words() { for w in "$@"; do printf '%s\n' "$w"; done; }; words `+command)
		sh.Dir = dir
		out, err := sh.Output()
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		args := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")[1:]
		var errs bytes.Buffer
		if status := execute(t.Context(), append(slices.Clone(args), "--help"), io.Discard, &errs); status != 0 || slices.Contains(args, "--ready") && len(args) != 3 {
			first, _, _ := strings.Cut(errs.String(), "\n")
			t.Errorf("%s: %s", text, first)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("a shell made %v of a condition that is not quoted (%v)", left, err)
	}
}
