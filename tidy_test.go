package clickloop

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/app/config"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheConfigurationInTheReadmeIsOne(t *testing.T) {
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(readme(t))
	if block == nil {
		t.Fatal("README.md has no block of YAML")
	}
	c, err := config.Parse("README.md", []byte(block[1]))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Objectives) != 2 || len(c.Features.Profiles) != 5 {
		t.Errorf("it reads as %+v", c)
	}
}

// The README proves promises by tests: they must be there.
func TestTestsThatTheReadmeNamesExist(t *testing.T) {
	out, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "*_test.go").Output()
	if err != nil {
		t.Skipf("git: %v", err)
	}
	var all strings.Builder
	for _, name := range strings.Fields(string(out)) {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // deleted and not committed
		}
		all.Write(b)
	}
	names := regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(readme(t), -1)
	if len(names) < 8 {
		t.Fatalf("README.md names %d tests", len(names))
	}
	for _, name := range names {
		if !strings.Contains(all.String(), "func "+name+"(") {
			t.Errorf("README.md names %s, which is no test", name)
		}
	}
}

// What documents tell to run must be there.
func TestProgramsThatDocumentsNameExist(t *testing.T) {
	documents, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, name := range append(documents, "model/README.md") {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range regexp.MustCompile("go (?:run|test) [^`\n]*?(\\./[a-z/]+)").FindAllStringSubmatch(string(b), -1) {
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

// longFile is what style asks of a file; a file that is longer says why in its first lines with the words "long because".
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
