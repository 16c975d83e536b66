package clickloop

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/clickloop/clickloop/app/config"
)

func TestTheConfigurationInTheReferenceIsOne(t *testing.T) {
	const file = "docs/reference/settings.md"
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(documents(t)[file])
	if block == nil {
		t.Fatal(file + " has no block of YAML")
	}
	c, err := config.Parse(file, []byte(block[1]))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Objectives) != 2 || len(c.Features.Profiles) != 5 {
		t.Errorf("it reads as %+v", c)
	}
}

// tracked are the files of the tree whose names match one of the patterns.
func tracked(t *testing.T, patterns ...string) []string {
	t.Helper()
	out, err := exec.Command("git", append([]string{"ls-files", "--cached", "--others", "--exclude-standard"}, patterns...)...).Output()
	if err != nil {
		t.Skipf("git: %v", err)
	}
	return strings.Fields(string(out))
}

// Documents prove promises by tests: they must be there.
func TestTestsThatDocumentsNameExist(t *testing.T) {
	var all strings.Builder
	for _, name := range tracked(t, "*_test.go") {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // deleted and not committed
		}
		all.Write(b)
	}
	for name, text := range documents(t) {
		named := regexp.MustCompile(`\b(?:Test|Benchmark)[A-Z]\w+`).FindAllString(text, -1)
		if name == "README.md" && len(named) < 8 {
			t.Fatalf("README.md names %d tests", len(named))
		}
		for _, test := range named {
			if !strings.Contains(all.String(), "func "+test+"(") {
				t.Errorf("%s names %s, which is no test", name, test)
			}
		}
	}
}

// DESIGN names files and folders: they are there.
func TestFilesThatTheDesignNamesExist(t *testing.T) {
	bases, paths := map[string]bool{}, map[string]bool{}
	for _, name := range tracked(t) {
		if _, err := os.Stat(name); err != nil {
			continue // deleted and not committed
		}
		bases[filepath.Base(name)] = true
		for ; name != "."; name = filepath.Dir(name) {
			paths[name] = true
		}
	}
	named := regexp.MustCompile("`([a-z][a-z_./-]*\\.(?:go|lua|sh|s|md|yaml))`|`((?:app|internal|cmd|model|event|docs)/[a-z_/-]+)`").FindAllStringSubmatch(documents(t)["DESIGN.md"], -1)
	if len(named) < 20 {
		t.Fatalf("%d files are found in DESIGN.md", len(named))
	}
	for _, m := range named {
		name := m[1] + m[2]
		if !paths[name] && (strings.Contains(name, "/") || !bases[name]) {
			t.Errorf("DESIGN.md names %s, which is not there", name)
		}
	}
}

// What documents tell to run must be there.
func TestProgramsThatDocumentsNameExist(t *testing.T) {
	named := 0
	for _, name := range tracked(t, "*.md") {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // deleted and not committed
		}
		for _, command := range regexp.MustCompile("go (?:run|test) [^`]*?(\\./[a-z0-9/-]+)").FindAllStringSubmatch(string(b), -1) {
			named++
			if _, err := os.Stat(command[1]); err != nil {
				t.Errorf("%s names %s: %v", name, command[1], err)
			}
		}
	}
	if named < 8 {
		t.Errorf("%d commands are found in the documents", named)
	}
}

// A link leads to a file that is there.
func TestLinksInDocumentsLeadSomewhere(t *testing.T) {
	links := 0
	for _, name := range tracked(t, "*.md") {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // deleted and not committed
		}
		for _, m := range regexp.MustCompile(`\]\(([^):#]+)(#[^)]*)?\)`).FindAllStringSubmatch(string(b), -1) {
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
		}
	}
	if links < 15 {
		t.Errorf("%d links are found in the documents", links)
	}
}

// What lengths documents and comments keep to.
const (
	readmeWords    = 900
	paragraphWords = 120
	columns        = 100
)

// paragraphs are those of a document with the line at which each begins; an item of a list is one.
// Code and tables are none.
func paragraphs(text string) (all []string, at []int) {
	code, open := false, false
	for i, line := range strings.Split(text, "\n") {
		bare := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(bare, "```"):
			code, open = !code, false
		case code:
		case bare == "" || strings.HasPrefix(bare, "|") || strings.HasPrefix(bare, "#") || strings.HasPrefix(bare, "<!--"):
			open = false
		case !open || regexp.MustCompile(`^([-*]|\d+\.) `).MatchString(bare):
			all, at, open = append(all, bare), append(at, i+1), true
		default:
			all[len(all)-1] += " " + bare
		}
	}
	return all, at
}

func TestDocumentsAreShort(t *testing.T) {
	texts := documents(t)
	words := len(strings.Fields(regexp.MustCompile("(?s)```.*?```").ReplaceAllString(texts["README.md"], "")))
	if words > readmeWords {
		t.Errorf("README.md has %d words, want at most %d", words, readmeWords)
	}
	for name, text := range texts {
		all, at := paragraphs(text)
		for i, p := range all {
			if n := len(strings.Fields(p)); n > paragraphWords {
				t.Errorf("%s:%d: the paragraph has %d words, want at most %d", name, at[i], n, paragraphWords)
			}
		}
		generated := false
		for i, line := range strings.Split(text, "\n") {
			if strings.HasPrefix(line, "<!--") {
				generated = !strings.Contains(line, "end")
			}
			command := strings.HasPrefix(line, "    clickloop ") // to copy
			if n := utf8.RuneCountInString(line); n > columns && !generated && !command && !strings.HasPrefix(strings.TrimSpace(line), "|") {
				t.Errorf("%s:%d: the line has %d columns, want at most %d", name, i+1, n, columns)
			}
		}
	}
}

// Comments are read beside code: they wrap. What is set out in a comment, behind a tab or spaces,
// stays as it is.
func TestCommentsAreNotWide(t *testing.T) {
	for _, name := range tracked(t, "*.go") {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // deleted and not committed
		}
		for i, line := range strings.Split(string(b), "\n") {
			comment := strings.TrimLeft(line, "\t")
			if !strings.HasPrefix(comment, "//") || strings.HasPrefix(comment, "//\t") || strings.HasPrefix(comment, "//  ") || strings.HasPrefix(comment, "//go:") {
				continue
			}
			if n := 4*(len(line)-len(comment)) + utf8.RuneCountInString(comment); n > columns && strings.Contains(strings.TrimSpace(comment[2:]), " ") {
				t.Errorf("%s:%d: the comment has %d columns, want at most %d", name, i+1, n, columns)
			}
		}
	}
}

// Each module that the code asks for saves something, which DESIGN says.
func TestDependenciesAreExplained(t *testing.T) {
	b, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(documents(t)["DESIGN.md"], "## Dependencies")
	direct := regexp.MustCompile(`(?m)^(?:require |\t)([a-z][^ ]+\.[^ ]+) v[^ ]+$`).FindAllStringSubmatch(string(b), -1)
	if len(direct) < 10 {
		t.Fatalf("%d modules are found in go.mod", len(direct))
	}
	for _, m := range direct {
		name := strings.TrimPrefix(strings.TrimPrefix(m[1], "github.com/"), "golang.org/")
		if !strings.Contains(table, regexp.MustCompile(`/(?:v\d+|pkg/.*)$`).ReplaceAllString(name, "")) {
			t.Errorf("DESIGN.md does not say what %s saves", m[1])
		}
	}
}

func TestNoFileIsLarge(t *testing.T) {
	out, err := exec.Command("git", "ls-files").Output()
	if err != nil {
		t.Skipf("git: %v", err)
	}
	for _, name := range strings.Fields(string(out)) {
		if info, err := os.Stat(name); err == nil && info.Size() > 2<<20 {
			t.Errorf("%s has %d bytes: is it something that was built?", name, info.Size())
		}
	}
}

func TestExamplesNameTheirData(t *testing.T) {
	recordings, err := filepath.Glob("examples/*/recording.yaml")
	if err != nil || len(recordings) < 3 {
		t.Fatalf("%d recordings (%v)", len(recordings), err)
	}
	for _, path := range recordings {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(path), "README.md"))
		if err != nil || !regexp.MustCompile(`CC BY 4.0|Apache-2.0`).Match(b) {
			t.Errorf("%s: its README names no licence (%v)", path, err)
		}
	}
}

// longFile is what style asks of a file; a file that is longer says why in its first lines with the
// words "long because".
const longFile = 400

func TestFilesAreShort(t *testing.T) {
	out, err := exec.Command("git", "ls-files", "*.go").Output()
	if err != nil {
		t.Skipf("git: %v", err)
	}
	for _, name := range strings.Fields(string(out)) {
		b, err := os.ReadFile(name)
		if err != nil || strings.HasSuffix(name, "_test.go") {
			continue
		}
		if n := strings.Count(string(b), "\n"); n > longFile && !strings.Contains(string(b[:min(len(b), 1000)]), "long because") {
			t.Errorf("%s has %d lines, want at most %d or a reason", name, n, longFile)
		}
	}
}
