package clickloop

import (
	"fmt"
	"go/ast"
	"go/token"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/prometheus/client_golang/prometheus"
)

// running is a process of all stages with embedded services, as `clickloop up` has it.
func running(t *testing.T) *run.Loop {
	t.Helper()
	return runningWith(t, func(*config.Config) {})
}

// runningWith is running with settings of its own.
func runningWith(t *testing.T, change func(*config.Config)) *run.Loop {
	t.Helper()
	c := config.Default()
	c.HTTP, c.Admin, c.Data = "127.0.0.1:0", "127.0.0.1:0", t.TempDir()
	c.Bidding.Enabled = true  // every call is there
	c.Scorer.MaxQueueTime = 0 // other tests may take all processors
	change(&c)
	l, err := run.Start(t.Context(), run.Options{Config: c, Embedded: true, AnyPort: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// inside finds the value of a type that a struct holds. What a process serves is nobody else's to
// ask for, so it is not exported for the sake of its documents.
func inside[T any](t *testing.T, v any) T {
	t.Helper()
	s := reflect.ValueOf(v).Elem()
	for i := range s.NumField() {
		f := s.Field(i)
		if f = reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem(); f.Type() == reflect.TypeFor[T]() {
			return f.Interface().(T)
		}
	}
	t.Fatalf("%T holds no %v", v, reflect.TypeFor[T]())
	panic("unreachable")
}

// patterns lists what is registered at a mux, by the texts that reflection finds below it.
func patterns(mux *http.ServeMux) []string {
	found := map[string]bool{}
	seen := map[unsafe.Pointer]bool{}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			if regexp.MustCompile(`^[A-Z]+ /`).MatchString(v.String()) {
				found[v.String()] = true
			}
		case reflect.Pointer:
			if !v.IsNil() && !seen[v.UnsafePointer()] {
				seen[v.UnsafePointer()] = true
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Map:
			for it := v.MapRange(); it.Next(); {
				walk(it.Value())
			}
		}
	}
	walk(reflect.ValueOf(mux))
	var all []string
	for p := range found {
		all = append(all, p)
	}
	slices.Sort(all)
	return all
}

// routes are all patterns that the stages register and that app/run adds, with the ports that serve
// them: "public", "admin" or "public, admin".
func routes(t *testing.T, l *run.Loop) map[string]string {
	t.Helper()
	public, admin := http.NewServeMux(), http.NewServeMux()
	s := reflect.ValueOf(l).Elem()
	for i := range s.NumField() {
		f := s.Field(i)
		if f.Kind() != reflect.Slice || f.Type().Elem().Kind() != reflect.Interface {
			continue
		}
		f = reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()
		for j := range f.Len() {
			if stage, ok := f.Index(j).Interface().(interface {
				Register(public, admin *http.ServeMux)
			}); ok {
				stage.Register(public, admin)
			}
		}
	}
	byPort := map[string][]string{"public": patterns(public), "admin": patterns(admin)}
	for _, file := range sources(t, "app/run") {
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			port := map[string]string{"registerPublic": "public", "registerAdmin": "admin"}[fn.Name.Name]
			ast.Inspect(fn, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if text, _ := strconv.Unquote(lit.Value); regexp.MustCompile(`^(GET|POST|PUT|DELETE) /\S*$`).MatchString(text) && port != "" {
						byPort[port] = append(byPort[port], text)
					}
				}
				return true
			})
		}
	}
	all := map[string]string{}
	for _, port := range []string{"public", "admin"} {
		for _, pattern := range byPort[port] {
			if strings.HasSuffix(all[pattern], port) {
				continue // the dashboard's page stands where other processes answer with a text
			}
			if all[pattern] != "" {
				all[pattern] += ", "
			}
			all[pattern] = strings.TrimPrefix(all[pattern], port) + port
		}
	}
	return all
}

func TestReferenceHasEveryEndpoint(t *testing.T) {
	const file = "docs/reference/http.md"
	l := running(t)
	var code []string
	ports := routes(t, l)
	for _, pattern := range slices.Sorted(maps.Keys(ports)) {
		if !strings.HasPrefix(pattern, "OPTIONS ") && !strings.HasSuffix(pattern, "/{$}") {
			code = append(code, pattern)
		}
	}
	if len(code) < 25 {
		t.Fatalf("%d endpoints are found in the code: %v", len(code), code)
	}
	texts := documents(t)
	var written []string
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:GET|POST|PUT|DELETE) /[^` ?]*)[^`]*` \\| ([a-z, ]+) \\|").FindAllStringSubmatch(texts[file], -1) {
		written = append(written, m[1])
		if port := ports[m[1]]; port != m[2] {
			t.Errorf("%s says that %s is served at the port %s, and it is at %s", file, m[1], m[2], port)
		}
	}
	for _, pattern := range code {
		if !slices.Contains(written, pattern) {
			t.Errorf("%s has no row for %s", file, pattern)
		}
	}
	for _, pattern := range written {
		if !slices.Contains(code, pattern) {
			t.Errorf("%s has a row for %s, which the code does not serve", file, pattern)
		}
	}
	for name, text := range texts {
		for _, m := range regexp.MustCompile("[ `\"](?:/v1/[a-z/]+|/beacon/v1/[a-z]+|/healthz|/readyz|/metrics)\\b").FindAllString(text, -1) {
			path := strings.TrimSuffix(m[1:], "/")
			if !slices.ContainsFunc(code, func(p string) bool {
				_, is, _ := strings.Cut(p, " ")
				return is == path || strings.HasPrefix(is, path+"/{")
			}) {
				t.Errorf("%s names %s, which the code does not serve", name, path)
			}
		}
	}
}

// The code names a call's parameters where it reads them: in arguments of Query and Unknown of
// package inbound, and in the lists of that name of a collector's dialects.
func TestReferenceHasEveryParameterOfACall(t *testing.T) {
	var code []string
	for _, dir := range []string{"ingest", "scorer", "feedback", "learner"} {
		for _, file := range sources(t, dir) {
			ast.Inspect(file, func(n ast.Node) bool {
				var names []ast.Expr
				switch n := n.(type) {
				case *ast.CallExpr:
					if name := types(n.Fun); name == "inbound.Query" || name == "inbound.Unknown" {
						names = n.Args[1:]
					}
				case *ast.KeyValueExpr:
					if list, ok := n.Value.(*ast.CompositeLit); ok && types(n.Key) == "parameters" {
						names = list.Elts
					}
				}
				for _, arg := range names {
					if lit, ok := arg.(*ast.BasicLit); ok && lit.Kind == token.STRING {
						text, _ := strconv.Unquote(lit.Value)
						code = append(code, text)
					}
				}
				return true
			})
		}
	}
	slices.Sort(code)
	code = slices.Compact(code)
	if len(code) < 10 {
		t.Fatalf("%d parameters are found in the code: %v", len(code), code)
	}
	text := documents(t)["docs/reference/http.md"]
	b, err := os.ReadFile("docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	openAPI := string(b)
	for _, name := range code {
		if !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, "`"+name+"=") {
			t.Errorf("docs/reference/http.md does not name the parameter %s", name)
		}
		if !strings.Contains(openAPI, "{name: "+name+", in: query") {
			t.Errorf("docs/openapi.yaml does not describe the parameter %s", name)
		}
	}
	for _, m := range regexp.MustCompile(`[?&]([a-z_]+)=`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(code, m[1]) {
			t.Errorf("docs/reference/http.md names the parameter %s, which no call knows", m[1])
		}
	}
}

// metrics are the descriptions of all that a process of all stages registers.
func metrics(t *testing.T, registry *prometheus.Registry) (names []string, rows map[string]string) {
	t.Helper()
	described := make(chan *prometheus.Desc, 10_000)
	registry.Describe(described)
	close(described)
	rows = map[string]string{}
	form := regexp.MustCompile(`^Desc\{fqName: ("(?:[^"\\]|\\.)*"), help: ("(?:[^"\\]|\\.)*"), (?:unit: "[^"]*", )?constLabels: \{(.*?)\}, variableLabels: \{(.*?)\}\}$`)
	for d := range described {
		m := form.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("%s has another form than expected", d)
		}
		name, _ := strconv.Unquote(m[1])
		text, _ := strconv.Unquote(m[2])
		if !strings.HasPrefix(name, "clickloop_") {
			continue
		}
		var labels []string
		for _, c := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(m[3], -1) {
			labels = append(labels, c[1])
		}
		labels = append(labels, strings.FieldsFunc(m[4], func(r rune) bool { return r == ',' || r == ' ' })...)
		if rows[name] == "" {
			names = append(names, name)
		}
		rows[name] = fmt.Sprintf("| `%s` | %s | %s |\n", name, strings.Join(labels, ", "), cell(text))
	}
	slices.Sort(names)
	return names, rows
}

func TestReferenceHasEveryMetric(t *testing.T) {
	names, rows := metrics(t, inside[*prometheus.Registry](t, running(t)))
	if len(names) < 30 {
		t.Fatalf("%d metrics are found: %v", len(names), names)
	}
	var b strings.Builder
	b.WriteString("| metric | labels | counts |\n|---|---|---|\n")
	for _, name := range names {
		b.WriteString(rows[name])
	}
	region(t, "docs/reference/metrics.md", "metrics", b.String())
	for document, text := range documents(t) {
		for _, name := range regexp.MustCompile("clickloop_[a-z]+_[a-z_]+[a-z]").FindAllString(text, -1) {
			if !slices.Contains(names, strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")) {
				t.Errorf("%s names the metric %s, which the code does not have", document, name)
			}
		}
	}
}
