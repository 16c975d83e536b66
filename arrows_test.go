package clickloop

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the code has into documents that repeat it")

const module = "github.com/clickloop/clickloop/"

// floor gives each top-level folder its height. A package imports packages of lower floors, and of
// its own folder; see mayImport for what else holds.
var floor = map[string]int{
	"event": 0, "model": 0,
	"stream":   1,
	"features": 2,
	"internal": 3, // a package of internal that features or stream use may not use them: Go sees to it
	"ingest":   4, "scorer": 4, "feedback": 4, "learner": 4,
	"bidder": 5,
	"app":    6,
	"cmd":    7, "bench": 7, "examples": 7,
}

// clients are the modules that one package alone may import, with the packages that may.
var clients = map[string][]string{
	"github.com/segmentio/kafka-go":   {"stream"},
	"github.com/redis/go-redis":       {"features", "internal/backend", "bidder/ledger"},
	"github.com/alicebob/miniredis":   {"internal/embedded"},
	"github.com/twmb/franz-go/pkg/k":  {"stream", "internal/embedded", "internal/backend"},
	"github.com/goccy/go-yaml":        {"internal/settings", "app/config", "app/recording"},
	"gonum.org/v1/gonum":              {"internal/metrics"},
	"github.com/santhosh-tekuri/json": {},
}

// TestImportsPointOneWay holds every package against the floors of DESIGN.md.
func TestImportsPointOneWay(t *testing.T) {
	for from, imports := range packages(t) {
		top, _, _ := strings.Cut(from, "/")
		if _, known := floor[top]; !known && from != "" {
			t.Errorf("%s stands on no floor: add its folder to the test and to DESIGN.md", from)
		}
		for _, imported := range imports {
			if problem := mayImport(from, imported); problem != "" {
				t.Errorf("%s imports %s: %s", from, imported, problem)
			}
		}
	}
}

// packages are the imports of every package of the module by its path without the module's.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		all[strings.TrimPrefix(words[0]+"/", module)] = words[1:]
	}
	trimmed := map[string][]string{}
	for name, imports := range all {
		trimmed[strings.TrimSuffix(name, "/")] = imports
	}
	if len(trimmed) < 30 {
		t.Fatalf("go list names %d packages only", len(trimmed))
	}
	return trimmed
}

// mayImport tells why a package may not import another; "" when it may.
func mayImport(from, imported string) string {
	for client, users := range clients {
		if strings.HasPrefix(imported, client) && !slices.Contains(users, from) {
			return fmt.Sprintf("only %v may", users)
		}
	}
	to, ours := strings.CutPrefix(imported, module)
	if !ours {
		return ""
	}
	fromTop, _, _ := strings.Cut(from, "/")
	toTop, _, _ := strings.Cut(to, "/")
	switch {
	case toTop == "bench" && fromTop == toTop && strings.HasPrefix(to, "bench/internal/"):
		return "" // what several measurements use
	case toTop == "cmd" || toTop == "bench" || toTop == "examples":
		return "nothing imports a program"
	case fromTop == toTop:
		return ""
	case toTop == "internal" && floor[fromTop] < floor["internal"]:
		return "" // what everybody stands on; Go refuses cycles
	case floor[fromTop] == 4 && floor[toTop] == 4:
		return "stages meet on topics only"
	case floor[toTop] >= floor[fromTop]:
		return "imports point downwards"
	}
	return ""
}

// TestTheMapInTheDesignNamesEveryImport compares the table in DESIGN.md with the code, package by
// package. go test -run TestTheMap . -update writes the column of imports.
func TestTheMapInTheDesignNamesEveryImport(t *testing.T) {
	b, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	lines := strings.Split(string(b), "\n")
	code := packages(t)
	for i, line := range lines {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(line, "| `") {
			continue
		}
		name := strings.Trim(cells[1], " `")
		imports, known := code[name]
		if !known || seen[name] {
			continue // another table
		}
		seen[name] = true
		if want := " " + ownImports(imports) + " "; cells[3] != want {
			if !*update {
				t.Errorf("DESIGN.md says of %s:%s\nthe code says:%s", name, cells[3], want)
			}
			cells[3] = want
			lines[i] = strings.Join(cells, "|")
		}
	}
	for name := range code {
		if top, _, _ := strings.Cut(name, "/"); !seen[name] && name != "" && floor[top] < 7 {
			t.Errorf("the map in DESIGN.md does not name %s", name)
		}
	}
	if *update && !t.Failed() {
		if err := os.WriteFile("DESIGN.md", []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// ownImports lists the module's packages among imports, as the map writes them.
func ownImports(imports []string) string {
	var own []string
	for _, imported := range imports {
		if name, ours := strings.CutPrefix(imported, module); ours {
			own = append(own, name)
		}
	}
	if len(own) == 0 {
		return "none"
	}
	slices.Sort(own)
	return strings.Join(own, ", ")
}

// TestEveryPackageWithGoroutinesLooksForLeaks: a package that starts goroutines has a TestMain that
// fails when one outlives the tests.
func TestEveryPackageWithGoroutinesLooksForLeaks(t *testing.T) {
	starts := regexp.MustCompile(`(?m)^\s*go [a-zA-Z]|errgroup\.`)
	looks := regexp.MustCompile(`(backend|services)\.Main\(m\)|goleak\.`)
	found := map[string]*struct{ starts, looks bool }{}
	for _, name := range tracked(t, "*.go") {
		b, err := os.ReadFile(name)
		if top, _, _ := strings.Cut(name, "/"); err != nil || top == "bench" || top == "examples" {
			continue // deleted and not committed, or a program
		}
		dir := filepath.Dir(name)
		if found[dir] == nil {
			found[dir] = &struct{ starts, looks bool }{}
		}
		if strings.HasSuffix(name, "_test.go") {
			found[dir].looks = found[dir].looks || looks.Match(b)
		} else {
			found[dir].starts = found[dir].starts || starts.Match(b)
		}
	}
	with := 0
	for dir, f := range found {
		if f.starts {
			with++
		}
		if f.starts && !f.looks {
			t.Errorf("%s starts goroutines, and no TestMain looks for those that its tests leave behind", dir)
		}
	}
	if with < 10 {
		t.Errorf("%d packages with goroutines are found", with)
	}
}
