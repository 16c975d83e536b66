package clickloop

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/features"
)

// region compares the part of a document between its markers with what the code says, or writes it
// there with -update.
func region(t *testing.T, file, name, want string) {
	t.Helper()
	begin, end := "<!-- from the code: "+name+" -->\n", "<!-- end -->\n"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(b), begin)
	is, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no region %q", file, name)
	}
	if is == want {
		return
	}
	if !*update {
		t.Errorf("%s, %s: the code has changed; run make docs\n%s", file, name, difference(is, want))
		return
	}
	if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// difference lists the lines that only one of two texts has.
func difference(is, want string) string {
	var b strings.Builder
	old, now := strings.Split(is, "\n"), strings.Split(want, "\n")
	for _, l := range old {
		if !slices.Contains(now, l) {
			fmt.Fprintf(&b, "- %s\n", l)
		}
	}
	for _, l := range now {
		if !slices.Contains(old, l) {
			fmt.Fprintf(&b, "+ %s\n", l)
		}
	}
	return b.String()
}

// cell makes text fit into a cell of a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

// built is the folder of the program, empty while no test has asked for it.
var built string

// program builds clickloop once for all tests of the package.
var program = sync.OnceValues(func() (string, error) {
	var err error
	if built, err = os.MkdirTemp("", "clickloop-docs-"); err != nil {
		return "", err
	}
	path := filepath.Join(built, "clickloop")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, "./cmd/clickloop").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(status)
}

// clickloop is the program with arguments.
func clickloop(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "HOME="+filepath.Dir(path), "XDG_CACHE_HOME=", "XDG_RUNTIME_DIR=")
	return cmd
}

// option is a flag as help prints it.
type option struct{ name, value, text string }

// help is what `clickloop COMMAND --help` says.
type help struct {
	usage, examples string
	flags           []option
}

// commands are the names of all commands with their one-line summaries, in the order of help.
func commands(t *testing.T) (names []string, summary map[string]string) {
	out, err := clickloop(t.Context(), t, "help").Output()
	if err != nil {
		t.Fatal(err)
	}
	summary = map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^  (\w+) +(.+)$`).FindAllStringSubmatch(string(out), -1) {
		names = append(names, m[1])
		summary[m[1]] = m[2]
	}
	if len(names) < 12 {
		t.Fatalf("help names %d commands", len(names))
	}
	return names, summary
}

func helpOf(t *testing.T, command string) help {
	t.Helper()
	out, err := clickloop(t.Context(), t, command, "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("%s --help: %v", command, err)
	}
	head, list, _ := strings.Cut(string(out), "\nflags:\n")
	usage, examples, _ := strings.Cut(head, "\n\nexamples:\n")
	h := help{usage: strings.TrimPrefix(usage, "usage: "), examples: strings.TrimRight(examples, "\n")}
	var last *option
	for line := range strings.Lines(list) {
		line = strings.TrimRight(line, "\n")
		if m := regexp.MustCompile(`^  -([A-Za-z][a-z-]*) ?([^\t]*)(?:\t(.*))?$`).FindStringSubmatch(line); m != nil {
			h.flags = append(h.flags, option{m[1], m[2], m[3]})
			last = &h.flags[len(h.flags)-1]
		} else if last != nil {
			last.text = strings.TrimSpace(last.text + " " + strings.TrimSpace(line))
		}
	}
	return h
}

// common are the flags that most commands share.
func common() (names []string, variables map[string]string) {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	config.CommonFlags(fs)
	variables = map[string]string{}
	fs.VisitAll(func(f *flag.Flag) {
		names = append(names, f.Name)
		variables[f.Name] = "CLICKLOOP_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
	})
	return names, variables
}

func dashes(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

func flagTable(flags []option) string {
	var b strings.Builder
	b.WriteString("| flag | does |\n|---|---|\n")
	for _, f := range flags {
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.TrimSpace(dashes(f.name)+" "+f.value), cell(f.text))
	}
	return b.String()
}

func TestReferenceHasEveryFlagOfEveryCommand(t *testing.T) {
	const file = "docs/reference/commands.md"
	shared, variables := common()
	var b, all strings.Builder
	names, summary := commands(t)
	var sharedFlags []option
	for _, name := range names {
		h := helpOf(t, name)
		var own []option
		hasShared := 0
		for _, f := range h.flags {
			if slices.Contains(shared, f.name) {
				hasShared++
				if len(sharedFlags) < len(shared) && name == "up" {
					sharedFlags = append(sharedFlags, f)
				}
				if hasShared <= len(shared) && name != "fit" {
					continue
				}
			}
			own = append(own, f)
		}
		fmt.Fprintf(&b, "### %s\n\n%s.\n\n", name, strings.ToUpper(summary[name][:1])+summary[name][1:])
		if h.examples != "" {
			fmt.Fprintf(&b, "Usage: `%s`\n\n```\n%s\n```\n\n", h.usage, h.examples)
		}
		if hasShared == len(shared) {
			b.WriteString("Takes the common flags too.\n\n")
		}
		if len(own) > 0 {
			b.WriteString(flagTable(own) + "\n")
		}
		for _, f := range h.flags {
			fmt.Fprintf(&all, "%s\n", dashes(f.name))
		}
	}
	if len(sharedFlags) != len(shared) {
		t.Fatalf("%d of %d common flags are found in help", len(sharedFlags), len(shared))
	}
	region(t, file, "common flags", flagTable(sharedFlags))
	region(t, file, "commands", b.String())

	var env strings.Builder
	env.WriteString("| variable | same as | does |\n|---|---|---|\n")
	for _, f := range sharedFlags {
		fmt.Fprintf(&env, "| `%s` | `%s` | %s |\n", variables[f.name], dashes(f.name), cell(f.text))
	}
	region(t, "docs/reference/settings.md", "variables", env.String())

	known := strings.Fields(all.String())
	for name, text := range documents(t) {
		for _, m := range regexp.MustCompile("clickloop [^`\n]*|`(--?[a-z][a-z-]*)").FindAllString(text, -1) {
			for _, f := range regexp.MustCompile(`(?:^|[ `+"`"+`])(--[a-z][a-z-]+)`).FindAllStringSubmatch(m, -1) {
				if !slices.Contains(known, f[1]) && !foreign[f[1]] {
					t.Errorf("%s names the flag %s, which no command has", name, f[1])
				}
			}
		}
	}
}

// Variables of the environment are those of the common flags, and what tests ask for by name.
func TestReferenceHasEveryVariable(t *testing.T) {
	form := regexp.MustCompile(`\bCLICKLOOP_[A-Z_]*[A-Z]`)
	_, variables := common()
	known := map[string]bool{features.RedisPassword: true}
	for _, name := range variables {
		known[name] = true
	}
	written := map[string]bool{}
	for _, text := range documents(t) {
		for _, variable := range form.FindAllString(text, -1) {
			written[variable] = true
		}
	}
	asked := regexp.MustCompile(`(?:Getenv|LookupEnv|variable)\("(CLICKLOOP_[A-Z_]+)"`)
	for _, path := range tracked(t, "*.go") {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // deleted and not committed
		}
		for _, m := range asked.FindAllStringSubmatch(string(b), -1) {
			known[m[1]] = true
		}
	}
	for name := range known {
		if !written[name] {
			t.Errorf("no document names the variable %s", name)
		}
	}
	for name := range written {
		if !known[name] {
			t.Errorf("documents name the variable %s, which nothing reads", name)
		}
	}
}

// foreign are flags of other programs in documents.
var foreign = map[string]bool{"--alter": true, "--add-config": true, "--build": true, "--help": true, "--add-host": true}

// documents are the texts for users, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	paths := []string{"README.md", "DESIGN.md"}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md", "examples/*/README.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(b)
	}
	return texts
}
