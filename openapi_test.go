package clickloop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"io"
	"maps"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// openAPI is docs/openapi.yaml. OpenAPI 3.1 has the schemas of JSON Schema 2020-12, so the
// validator of the topics' messages checks those of the calls.
type openAPI struct {
	t        *testing.T
	doc      map[string]any
	compiler *jsonschema.Compiler
}

// openAPIURL is what the compiler calls the document; references to files lead from there.
const openAPIURL = "file:///docs/openapi.yaml"

func readOpenAPI(t *testing.T) *openAPI {
	t.Helper()
	b, err := os.ReadFile("docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.YAMLToJSON(b)
	if err != nil {
		t.Fatal(err)
	}
	d := &openAPI{t: t, compiler: jsonschema.NewCompiler()}
	d.compiler.AssertFormat()
	doc := decode(t, text)
	d.doc = doc.(map[string]any)
	d.add(openAPIURL, doc)
	files, _ := filepath.Glob("docs/schemas/*.json")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d.add("file:///"+file, decode(t, b))
	}
	return d
}

func (d *openAPI) add(url string, doc any) {
	if err := d.compiler.AddResource(url, doc); err != nil {
		d.t.Fatal(err)
	}
}

func decode(t *testing.T, b []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return v
}

// at follows a pointer of names through the document, and references on its way. It returns nil
// where there is nothing, and where what it found stands.
func (d *openAPI) at(names ...string) (any, string) {
	var v any = d.doc
	pointer := "#"
	for _, name := range append(names, "") {
		for {
			m, _ := v.(map[string]any)
			ref, ok := m["$ref"].(string)
			if !ok || !strings.HasPrefix(ref, "#") {
				break
			}
			v, pointer = any(d.doc), "#"
			for _, part := range strings.Split(ref[2:], "/") {
				v = v.(map[string]any)[part]
				pointer += "/" + part
			}
			if v == nil {
				d.t.Fatalf("%s leads nowhere", ref)
			}
		}
		if name == "" {
			break
		}
		m, ok := v.(map[string]any)
		if !ok || m[name] == nil {
			return nil, ""
		}
		v = m[name]
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	}
	return v, pointer
}

// check validates a value against the schema that stands below names.
func (d *openAPI) check(what string, value []byte, names ...string) {
	d.t.Helper()
	_, pointer := d.at(names...)
	if pointer == "" {
		d.t.Errorf("%s: no schema at %v", what, names)
		return
	}
	d.checkAt(what, value, pointer)
}

// checkAt validates a value against the schema at a pointer.
func (d *openAPI) checkAt(what string, value []byte, pointer string) {
	d.t.Helper()
	schema, err := d.compiler.Compile(openAPIURL + pointer)
	if err != nil {
		d.t.Fatalf("%s: %v", pointer, err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err == nil {
		err = schema.Validate(v)
	}
	if err != nil {
		d.t.Errorf("%s: %s: %v", what, value, err)
	}
}

// checkBody validates a body of a content type whose schema stands below names. JSON lines have a
// schema for each line.
func (d *openAPI) checkBody(what string, body []byte, contentType string, names ...string) {
	d.t.Helper()
	kind, _, _ := mime.ParseMediaType(contentType)
	names = append(slices.Clone(names), "content", kind)
	if v, _ := d.at(names...); v == nil {
		d.t.Errorf("%s: %s is not described: %.200s", what, kind, body)
		return
	}
	switch kind {
	case "application/json":
		d.check(what, body, append(names, "schema")...)
	case "text/event-stream":
		d.check(what, body, append(names, "x-line-schema")...)
	case "application/x-ndjson":
		for line := range bytes.Lines(body) {
			d.check(what, line, append(names, "x-line-schema")...)
		}
	}
}

// operation is a call of the document.
type operation struct {
	path, method, id string
	names            []string // of its place
}

func (d *openAPI) operations() (all []operation) {
	d.t.Helper()
	ids := map[string]bool{}
	paths := d.doc["paths"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for _, method := range []string{"put", "post", "get", "delete", "options", "head", "patch"} {
			names := []string{"paths", path, method}
			v, _ := d.at(names...)
			if v == nil {
				continue
			}
			id, _ := v.(map[string]any)["operationId"].(string)
			if id == "" || ids[id] {
				d.t.Errorf("%s %s: operationId %q is missing or used twice", method, path, id)
			}
			ids[id] = true
			all = append(all, operation{path, strings.ToUpper(method), id, names})
		}
	}
	return all
}

// bases are the addresses of the ports that serve a path, by its servers.
func (d *openAPI) bases(l *run.Loop, path string) (all []string) {
	servers, _ := d.at("paths", path, "servers")
	if servers == nil {
		servers = d.doc["servers"]
	}
	for _, s := range servers.([]any) {
		if strings.HasSuffix(s.(map[string]any)["url"].(string), ":8081") {
			all = append(all, l.Admin)
		} else {
			all = append(all, l.HTTP)
		}
	}
	return all
}

func TestOpenAPIDescribesEveryRouteAndNoOther(t *testing.T) {
	d, l := readOpenAPI(t), running(t)
	if v := d.doc["openapi"]; v != "3.1.0" {
		t.Errorf("openapi is %v", v)
	}
	described := map[string]string{}
	for _, op := range d.operations() {
		var ports []string
		for _, address := range d.bases(l, op.path) {
			ports = append(ports, map[bool]string{true: "public", false: "admin"}[address == l.HTTP])
		}
		described[op.method+" "+op.path] = strings.Join(ports, ", ")
	}
	served := routes(t, l)
	for pattern, port := range served {
		pattern = strings.NewReplacer("{$}", "", "...}", "}").Replace(pattern)
		if described[pattern] != port {
			t.Errorf("%s is served at the port %s, and described at %q", pattern, port, described[pattern])
		}
		delete(described, pattern)
	}
	for pattern := range described {
		t.Errorf("%s is described, and nobody serves it", pattern)
	}
}

// Every schema is one, and every reference leads somewhere.
func TestOpenAPIsSchemasCompile(t *testing.T) {
	d := readOpenAPI(t)
	var walk func(v any, pointer string)
	walk = func(v any, pointer string) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok && strings.HasPrefix(ref, "#/") {
				if found, _ := d.at(strings.Split(ref[2:], "/")...); found == nil {
					t.Errorf("%s: %s leads nowhere", pointer, ref)
				}
			}
			for name, inner := range v {
				at := pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
				if name == "schema" || name == "x-line-schema" || pointer == "#/components/schemas" {
					if _, err := d.compiler.Compile(openAPIURL + at); err != nil {
						t.Errorf("%s: %v", at, err)
					}
				}
				if name != "example" && name != "examples" {
					walk(inner, at)
				}
			}
		case []any:
			for i, inner := range v {
				walk(inner, fmt.Sprint(pointer, "/", i))
			}
		}
	}
	walk(d.doc, "#")
	defined := map[string]bool{}
	for _, kind := range []string{"schemas", "responses", "parameters", "headers", "requestBodies"} {
		v, _ := d.at("components", kind)
		for name := range v.(map[string]any) {
			defined["#/components/"+kind+"/"+name] = true
		}
	}
	text, _ := os.ReadFile("docs/openapi.yaml")
	for ref := range defined {
		if !bytes.Contains(text, []byte(`"`+ref+`"`)) {
			t.Errorf("nothing refers to %s", ref)
		}
	}
}

// fields are the names in a list of texts that a package's source declares.
func fields(t *testing.T, dir, variable string) (names []string) {
	t.Helper()
	for _, file := range sources(t, dir) {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || spec.Names[0].Name != variable || len(spec.Values) != 1 {
				return true
			}
			for _, e := range spec.Values[0].(*ast.CompositeLit).Elts {
				text, _ := strconv.Unquote(e.(*ast.BasicLit).Value)
				names = append(names, text)
			}
			return false
		})
	}
	slices.Sort(names)
	return names
}

// A member that a request may have is described, and a described one is known.
func TestOpenAPIDescribesEveryMemberOfARequest(t *testing.T) {
	d := readOpenAPI(t)
	for schema, variable := range map[string]string{"ScoreRequest": "requestFields", "Candidate": "candidateFields", "Cap": "capFields", "Retrieval": "retrievalFields"} {
		v, _ := d.at("components", "schemas", schema, "properties")
		described := slices.Sorted(maps.Keys(v.(map[string]any)))
		known := fields(t, "scorer", variable)
		for _, name := range known {
			if !slices.Contains(described, name) {
				t.Errorf("%s does not describe %s", schema, name)
			}
		}
		for _, name := range described {
			if len(known) == 0 || !slices.Contains(known, name) {
				t.Errorf("%s describes %s, which the scorer does not know", schema, name)
			}
		}
	}
}

// example is a body of the document.
type example struct {
	name, contentType string
	body              []byte
}

// examples are the bodies that an operation gives, at least nothing.
func (d *openAPI) examples(op operation) (all []example) {
	content, _ := d.at(append(op.names, "requestBody", "content")...)
	kinds, _ := content.(map[string]any)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		media := kinds[kind].(map[string]any)
		values := map[string]any{}
		if v, ok := media["example"]; ok {
			values["example"] = v
		}
		several, _ := media["examples"].(map[string]any)
		for name, v := range several {
			values[name] = v.(map[string]any)["value"]
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			body, text := []byte(nil), values[name]
			if kind == "application/x-ndjson" {
				body = []byte(text.(string))
			} else {
				body, _ = json.Marshal(text)
			}
			all = append(all, example{name, kind, body})
		}
	}
	if len(all) == 0 {
		all = append(all, example{})
	}
	return all
}

// target is the path of an operation with the examples of its parameters.
func (d *openAPI) target(op operation) string {
	path, query := op.path, ""
	list, place := d.at(append(op.names, "parameters")...)
	parameters, _ := list.([]any)
	for i, p := range parameters {
		m, at := p.(map[string]any), fmt.Sprint(place, "/", i)
		if ref, ok := m["$ref"].(string); ok {
			v, pointer := d.at(strings.Split(ref[2:], "/")...)
			m, at = v.(map[string]any), pointer
		}
		value, ok := m["example"]
		if !ok {
			continue
		}
		text, _ := json.Marshal(value)
		d.checkAt(fmt.Sprint(op.id, ": parameter ", m["name"]), text, at+"/schema")
		if m["in"] == "path" {
			path = strings.ReplaceAll(path, "{"+m["name"].(string)+"}", fmt.Sprint(value))
			continue
		}
		query += fmt.Sprintf("&%v=%v", m["name"], value)
	}
	return path + strings.Replace(query, "&", "?", 1)
}

// readAnswer reads a body; of a stream of events the data of the first.
func readAnswer(resp *http.Response) ([]byte, error) {
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "text/event-stream" {
		return io.ReadAll(resp.Body)
	}
	for lines := bufio.NewReader(resp.Body); ; {
		line, err := lines.ReadBytes('\n')
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok || err != nil {
			return bytes.TrimSpace(data), err
		}
	}
}

// send calls the server and holds its answer against the document.
func (d *openAPI) send(op operation, base, target string, x example, want int) []byte {
	d.t.Helper()
	what := fmt.Sprintf("%s %s %s", op.method, target, x.name)
	r, err := http.NewRequestWithContext(d.t.Context(), op.method, "http://"+base+target, bytes.NewReader(x.body))
	if err != nil {
		d.t.Fatal(err)
	}
	if x.contentType != "" {
		r.Header.Set("Content-Type", x.contentType)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := readAnswer(resp)
	if err != nil {
		d.t.Fatal(err)
	}
	if resp.StatusCode != want {
		d.t.Errorf("%s: %d %.300s, want %d", what, resp.StatusCode, body, want)
		return body
	}
	names := append(slices.Clone(op.names), "responses", fmt.Sprint(resp.StatusCode))
	if v, _ := d.at(names...); v == nil {
		d.t.Errorf("%s: status %d is not described", what, resp.StatusCode)
		return body
	}
	if len(body) > 0 {
		d.checkBody(what, body, resp.Header.Get("Content-Type"), names...)
	}
	headers, _ := d.at(append(names, "headers")...)
	all, _ := headers.(map[string]any)
	for name := range all {
		if required, _ := d.at(append(names, "headers", name, "required")...); required == true && resp.Header.Get(name) == "" {
			d.t.Errorf("%s: the header %s is missing", what, name)
		}
	}
	return body
}

// A client that knows the document alone has every call answered as the document says: the examples
// suit their schemas, and so do the answers.
func TestARunningSystemAnswersAsOpenAPISays(t *testing.T) {
	d, l := readOpenAPI(t), runningWith(t, func(c *config.Config) {
		c.Scorer.Items.Catalogues = []string{"items"}
		linear := model.DefaultConfig()
		linear.Network = []string{"linear"}
		c.Networks, c.Objectives[0].Networks = config.Networks{"linear": linear}, []string{event.DefaultNetwork, "linear"}
	})
	for _, op := range d.operations() {
		target := d.target(op)
		for _, x := range d.examples(op) {
			if x.body != nil {
				d.checkBody(op.id+" "+x.name, x.body, x.contentType, append(op.names, "requestBody")...)
			}
			for _, base := range d.bases(l, op.path) {
				want := http.StatusOK
				if op.method == http.MethodOptions {
					want = http.StatusNoContent
				}
				if status, _ := d.at(append(op.names, "x-example-status")...); status != nil {
					n, _ := status.(json.Number).Int64()
					want = int(n)
				}
				d.send(op, base, target, x, want)
			}
		}
	}
}

func (d *openAPI) operation(id string) operation {
	d.t.Helper()
	all := d.operations()
	i := slices.IndexFunc(all, func(o operation) bool { return o.id == id })
	if i < 0 {
		d.t.Fatalf("there is no operation %s", id)
	}
	return all[i]
}

// Errors come in the form, with the status and under the code that the document gives them. A body
// that the document does not allow is refused where it says so.
func TestErrorsAreAsOpenAPISays(t *testing.T) {
	d, l := readOpenAPI(t), running(t)
	const anyJSON = "application/json"
	f := func(id, query, contentType, body string, status int, code, field string) {
		t.Helper()
		op := d.operation(id)
		answer := d.send(op, d.bases(l, op.path)[0], op.path+query, example{body, contentType, []byte(body)}, status)
		var got struct {
			Error struct{ Code, Message, Field string }
		}
		if err := json.Unmarshal(answer, &got); err != nil || got.Error.Code != code || got.Error.Field != field {
			t.Errorf("%s%s %s: %s, want code %s and field %q", id, query, body, answer, code, field)
		}
	}
	f("score", "", anyJSON, `{}`, 400, "bad_request", "candidates")
	f("score", "", anyJSON, `{"candidates":[{"ad":""}]}`, 400, "bad_request", "candidates[0].ad")
	f("score", "", anyJSON, `{"candidates":[{"ad":"a","value":-1}]}`, 400, "bad_request", "candidates[0].value")
	f("score", "", anyJSON, `{"candidates":[{"ad":"a"}],"context":7}`, 400, "bad_request", "context")
	f("score", "", anyJSON, `[`, 400, "bad_request", "")
	f("score", "", anyJSON, `{"request":"x1","candidates":[{"ad":"a"}]`+strings.Repeat(" ", 1<<20)+`}`, 413, "too_large", "")
	f("events", "", anyJSON, `{"kind":"click"}`, 400, "bad_request", "type")
	f("events", "?clok=1", anyJSON, `{"type":"click"}`, 400, "bad_request", "clok")
	f("events", "", anyJSON, `{"type":"click","value":1e10}`, 400, "bad_request", "value")
	f("events", "?clock=2026-01-01T00:00:00Z", anyJSON, `[]`, 400, "bad_request", "clock")
	f("track", "", anyJSON, `{"userId":7`, 400, "bad_request", "")
	f("model", "?objective=none", "", "", 404, "not_found", "")
	f("model", "?objektive=click", "", "", 400, "bad_request", "objektive")
	f("learner", "?objective=none", "", "", 404, "not_found", "")
	f("learner", "?objective=click&network=none", "", "", 404, "not_found", "")
	f("evaluation", "?objective=click&window=1w", "", "", 400, "bad_request", "window")
	f("release", "?objective=none", anyJSON, "", 404, "not_found", "objective")
	f("release", "?objective=click", "text/plain", "", 415, "unsupported", "")
	f("snapshot", "?objective=click", "", "", 415, "unsupported", "")
	f("clock", "?folded=soon", "", "", 400, "bad_request", "folded")

	// one id, two questions
	op := d.operation("score")
	d.send(op, l.HTTP, op.path, example{"first", anyJSON, []byte(`{"request":"twice","candidates":[{"ad":"a"}]}`)}, 200)
	f("score", "", anyJSON, `{"request":"twice","candidates":[{"ad":"b"}]}`, 409, "conflict", "request")
	// a line that is refused spares the others
	lines := d.send(op, l.HTTP, op.path, example{"lines", "application/x-ndjson", []byte("{\"candidates\":[{\"ad\":\"a\"}]}\n{}\n")}, 200)
	if bytes.Count(lines, []byte(`"error"`)) != 1 || bytes.Count(lines, []byte("\n")) != 2 {
		t.Errorf("lines: %s", lines)
	}
}

// The schemas refuse what the server refuses: a client that validates its requests finds out early.
func TestOpenAPIRefusesWhatTheServerRefuses(t *testing.T) {
	d := readOpenAPI(t)
	f := func(name, body string, want bool) {
		t.Helper()
		schema, err := d.compiler.Compile(openAPIURL + "#/components/schemas/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(decode(t, []byte(body))); (err == nil) != want {
			t.Errorf("%s %s: %v", name, body, err)
		}
	}
	f("ScoreRequest", `{"candidates":[{"ad":"a"}],"later":1}`, true)
	f("ScoreRequest", `{"candidates":[]}`, false)
	f("ScoreRequest", `{"candidates":[{"campaign":"c"}]}`, false)
	f("ScoreRequest", `{"candidates":[{"ad":"a"}],"choose":-1}`, false)
	f("ScoreRequest", `{"candidates":[{"ad":"a"}],"request":"`+strings.Repeat("r", 252)+`"}`, false)
	f("ScoreRequest", `{"candidates":[{"ad":"a"}],"cap":[{"field":"campaign","most":2}]}`, true)
	f("ScoreRequest", `{"candidates":[{"ad":"a"}],"cap":{"field":"campaign"}}`, false)
	f("Event", `{"type":"click","properties":{"position":3}}`, true)
	f("Event", `{"user":"u"}`, false)
	f("Event", `{"type":"click","value":2e9}`, false)
	f("ScoreAnswer", `{"request":"r","predictions":[{"prediction":"p","ad":"a","p":{"click":1.5}}],"model":{},"age_ms":{}}`, false)
	f("Error", `{"error":{"code":"bad_request"}}`, false)
}
