package clickloop

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/bidder/campaign"
)

// setting is one line of a configuration file.
type setting struct {
	path, kind, byDefault, allowed, text string
}

// sources reads a folder's Go files without tests.
func sources(t *testing.T, dir string) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// structs are the struct types of a folder by name.
func structs(t *testing.T, dir string) map[string]*ast.StructType {
	all := map[string]*ast.StructType{}
	for _, f := range sources(t, dir) {
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if s, ok := spec.Type.(*ast.StructType); ok {
					all[spec.Name.Name] = s
				}
			}
			return true
		})
	}
	return all
}

// remark is the comment at a field, as a sentence.
func remark(f *ast.Field) string {
	text := ""
	for _, group := range []*ast.CommentGroup{f.Doc, f.Comment} {
		if group != nil {
			text = strings.TrimSpace(text + " " + group.Text())
		}
	}
	text = cell(text)
	if len(f.Names) > 0 { // a sentence about the name, whose row in a table has the name already
		rest, found := strings.CutPrefix(text, f.Names[0].Name+" ")
		verb, object, _ := strings.Cut(rest, " ")
		switch {
		case found && (verb == "is" || verb == "are"):
			text = object
		case found && strings.HasSuffix(verb, "s"):
			text = rest
		}
	}
	if text == "" {
		return ""
	}
	if word, _, _ := strings.Cut(text, " "); !strings.HasSuffix(word, ",") && !strings.HasSuffix(word, ":") {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

// sentences say what a comment in the code cannot, which its reader sees among its neighbours.
var sentences = map[string]string{
	"kafka.brokers":                   "Addresses of Kafka; empty: the embedded broker, in `up`.",
	"redis.address":                   "Address of Redis, host:port or a redis:// or rediss:// URL; empty: the embedded one, in `up`.",
	"kafka.prefix":                    "Text before the name of every topic and group.",
	"kafka.partitions":                "Partitions of `events` and `predictions` when they are created.",
	"networks.NAME":                   "Another network, by the name that objectives give; it takes the settings of `model`, and their defaults.",
	"features.profiles[].prior":       "Of ratio: (numerator + prior x weight) / (denominator + weight) is the feature's value.",
	"features.profiles[].weight":      "Of ratio: how many events the prior is worth.",
	"features.profiles[].name":        "Name of the feature; derived from the rest when empty, such as `user.click_count_1h`.",
	"features.profiles[].window":      "Time that the aggregate looks back.",
	"features.cross":                  "Pairs or triples of features that become one token.",
	"objectives[].name":               "Name of the objective, in topics, answers and metrics.",
	"objectives[].window":             "Time from the prediction within which the positive event counts.",
	"model.admission":                 "Sightings after which a token gets an entry; 1: at once.",
	"model.expiry":                    "Examples after which a token that did not come again loses its entry; 0: never.",
	"model.network":                   "Parts of a plain network; empty: the default mixture.",
	"model.output":                    "What the network answers; the loop takes sigmoid only, `fit` all.",
	"model.loss":                      "Loss whose gradient is followed.",
	"model.classes":                   "Outputs of a softmax; 1 with any other output.",
	"model.ffm.k":                     "Length of a token's vector for another field.",
	"model.ffm.init":                  "Standard deviation of the vectors' random start.",
	"model.mlp.embedding":             "Length of a token's embedding.",
	"model.mlp.init":                  "Standard deviation of the embeddings' random start.",
	"model.mlp.layers[].units":        "Units of the hidden layer.",
	"model.mlp.layers[].activation":   "Function of the layer's units.",
	"model.linear.optimizer.kind":     "Optimizer of the part.",
	"model.linear.optimizer.schedule": "Of sgd: constant, inverse (rate / (1 + decay t)) or power (rate / (1 + t)^decay).",
	"model.linear.optimizer.decay":    "Decay of the schedule.",
	"model.linear.optimizer.beta1":    "Of adam: decay of the mean gradient; of ftrl: beta.",
	"model.linear.optimizer.beta2":    "Of adam: decay of the mean squared gradient.",
	"model.linear.optimizer.l1":       "Pull of a weight towards zero by a constant amount.",
	"model.linear.optimizer.l2":       "Pull of a weight towards zero in proportion to the weight.",
	"watermark.lease":                 "How long labels wait for a collector whose heartbeats have stopped.",
	"watermark.ahead":                 "How far a heartbeat may be ahead of the clocks of Kafka and of the reader.",
	"ingest.max_events":               "Events in one request; more get 413.",
	"ingest.heartbeat":                "Time between the heartbeats that a collector writes to each partition of `events`.",
	"scorer.max_candidates":           "Candidates of one request; more get 400.",
	"scorer.seed":                     "Seed of the random choices.",
	"feedback.guard.calibration_low":  "Predicted over actual below this raises an alarm.",
	"feedback.guard.calibration_high": "Predicted over actual above this raises an alarm.",
	"feedback.guard.rate_low":         "Positives over examples below this raise an alarm.",
	"feedback.guard.rate_high":        "Positives over examples above this raise an alarm.",
	"feedback.guard.coverage_low":     "Share of predictions whose trigger happened, below which an alarm is raised.",
	"learner.serve_bits":              "Bits of a weight in messages to scorers and in their memory.",
	"recording: name":                 "Name of the recording in ids; the folder's by default.",
	"recording: files":                "Files beside recording.yaml, read in this order; .gz is unpacked.",
	"recording: format":               "csv (any separator, with a header), jsonl or vw.",
	"recording: separator":            "Separator of csv; found out by default.",
	"recording: label":                "Column of the label.",
	"recording: encoding":             "Encoding of the files, such as windows-1251; UTF-8 by default.",
	"recording: text":                 "Columns whose words are read beside the whole text; found out by default.",
	"recording: user":                 "Column of the user.",
	"recording: ad":                   "Ad of every row: a constant, or `column:NAME`; the recording's name by default.",
	"recording: campaign":             "Campaign of every row: a constant, or `column:NAME`.",
	"recording: time":                 "Column of the time, in RFC 3339 or alike; without it `start` and `every` give the time.",
	"recording: start":                "Time of the first row, in RFC 3339.",
	"recording: every":                "Recorded time between rows, 1s by default.",
	"recording: tick":                 "Recorded time that is played at once in lockstep, 1s by default.",
	"recording: objective":            "The objective, as `objectives[]` in settings.md.",
	"recording: events[].type":        "Type of an event that follows a row.",
	"recording: events[].when":        "positive (after a row with a positive label) or always.",
	"recording: events[].delay":       "Recorded time between the row and the event.",
	"recording: events[].value":       "Column of the event's value.",
	"access.keys.NAME":                "A client by name, which metrics tell.",
	"access.keys.NAME.for":            "What the keys are good for: any of score, events, admin.",
	"access.keys.NAME.rate":           "Events, or lines of the scorer, a second; more get 429; 0: no limit.",
	"access.address.rate":             "Events, or lines of the scorer, a second of one client address; more get 429; 0: four fifths of `ingest.rate` for events, no limit for the scorer.",
	"access.address.bytes":            "Bytes of bodies a second of one client address, as they are received; more get 429; 0: no limit.",
	"learner.warm":                    "By network, such as click or click.plain: file of `fit --out` to start from when there is no checkpoint.",
}

// sentence is what the reference says of a setting: a part's optimizer is that of the linear part.
func sentence(path, comment string) string {
	path = strings.NewReplacer("ffm.optimizer", "linear.optimizer", "mlp.optimizer", "linear.optimizer").Replace(path)
	if text := sentences[path]; text != "" {
		return text
	}
	return comment
}

// commented finds the comment of a field of a type in its package's source.
func commented(t *testing.T, known map[string]map[string]*ast.StructType, owner reflect.Type, field string) string {
	t.Helper()
	dir := "./" + strings.TrimPrefix(owner.PkgPath(), module)
	if known[dir] == nil {
		known[dir] = structs(t, dir)
	}
	s := known[dir][owner.Name()]
	if s == nil {
		t.Fatalf("%s has no type %s", dir, owner.Name())
	}
	for _, f := range s.Fields.List {
		for _, name := range f.Names {
			if name.Name == field {
				return remark(f)
			}
		}
	}
	return ""
}

// settings lists what a file may set below v.
func settings(t *testing.T, path string, v reflect.Value, known map[string]map[string]*ast.StructType) []setting {
	t.Helper()
	var list []setting
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		tag, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if tag == "" || tag == "-" {
			continue
		}
		at := strings.TrimPrefix(path+"."+tag, ".")
		text := sentence(at, commented(t, known, v.Type(), field.Name))
		kind := field.Type
		switch {
		case kind.Kind() == reflect.Struct:
			list = append(list, settings(t, at, value, known)...)
		case kind.Kind() == reflect.Slice && kind.Elem().Kind() == reflect.Struct:
			list = append(list, settings(t, at+"[]", reflect.Zero(kind.Elem()), known)...)
		case kind.Kind() == reflect.Map && kind.Elem().Kind() == reflect.Struct:
			list = append(list, setting{path: at + ".NAME", kind: "section", text: sentence(at+".NAME", text)})
			if at != "networks" { // whose settings are those of model
				list = append(list, settings(t, at+".NAME", reflect.Zero(kind.Elem()), known)...)
			}
		default:
			list = append(list, setting{at, kindOf(kind), shown(value, strings.Contains(at, "[]") || strings.Contains(at, ".NAME.")), allowed(at, kind), text})
		}
	}
	return list
}

func kindOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Slice:
		return "list of lists"
	case t.Kind() == reflect.Slice:
		return "list"
	case t.Kind() == reflect.Map:
		return "names and texts"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float64:
		return "number"
	case t.Kind() == reflect.String:
		return "text"
	}
	return "whole number"
}

// shown is a default as a file would give it; a list's element has none.
func shown(v reflect.Value, element bool) string {
	switch {
	case element || v.IsZero() && (v.Kind() == reflect.String || v.Kind() == reflect.Slice || v.Kind() == reflect.Map):
		return ""
	case v.Type() == reflect.TypeFor[time.Duration]():
		return "`" + short(time.Duration(v.Int())) + "`"
	case v.Kind() == reflect.Slice:
		var parts []string
		for i := range v.Len() {
			parts = append(parts, strconv.Quote(v.Index(i).String()))
		}
		return "`[" + strings.Join(parts, ", ") + "]`"
	case v.Kind() == reflect.Float64:
		return "`" + strconv.FormatFloat(v.Float(), 'f', -1, 64) + "`"
	}
	return fmt.Sprintf("`%v`", v.Interface())
}

// short is a duration without zero minutes and seconds.
func short(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = strings.TrimSuffix(text, zero[1:])
		}
	}
	return text
}

// elements are what an element of a list needs beside the setting that is asked about.
var elements = map[string]string{
	"objectives":        "name: click, trigger: impression, positive: click, window: 30m",
	"features.profiles": "entity: user, aggregate: count, event: click",
	"model.mlp.layers":  "units: 4, activation: relu",
}

// allowed is what the program says of a value that it refuses; "" where it takes all of the kind.
func allowed(path string, kind reflect.Type) string {
	values := []string{`"%%"`, `""`}
	switch {
	case kind.Kind() == reflect.Bool || kind.Kind() == reflect.Map:
		return ""
	case kind.Kind() == reflect.Slice && kind.Elem().Kind() == reflect.Slice:
		values = []string{`[["%%"]]`}
	case kind.Kind() == reflect.Slice:
		values = []string{`["%%"]`, `["*%%"]`}
	case kind.Kind() != reflect.String:
		values = []string{`lots`, "-1"}
	}
	for _, value := range values {
		_, err := config.Parse("f", []byte(flow(path, value)))
		if err == nil {
			continue
		}
		first, _, _ := strings.Cut(err.Error(), "\n")
		if !strings.Contains(first, path[strings.LastIndexAny(path, ".]")+1:]) {
			continue
		}
		m := regexp.MustCompile(`(?:; allowed: |, want |; expected |: allowed are |: allowed is )(.*)$`).FindStringSubmatch(first)
		if m == nil || kind.Kind() != reflect.String && kind.Kind() != reflect.Slice && !strings.Contains(first, "allowed") {
			continue
		}
		text := m[1]
		if _, rest, ok := strings.Cut(text, "; allowed: "); ok {
			text = rest
		}
		text, _, _ = strings.Cut(text, ", which is ")
		if text = strings.TrimPrefix(text, "one of "); strings.HasPrefix(text, "[") {
			text = strings.ReplaceAll(strings.Trim(text, "[]"), " ", ", ")
		}
		return cell(strings.ReplaceAll(text, "%%", "localhost"))
	}
	return ""
}

// flow writes a document with one setting in YAML's flow form.
func flow(path, value string) string {
	parts := strings.Split(path, ".")
	text := parts[len(parts)-1] + ": " + value
	for i := len(parts) - 2; i >= 0; i-- {
		name, list := strings.CutSuffix(parts[i], "[]")
		if !list {
			text = name + ": {" + text + "}"
			continue
		}
		at := strings.ReplaceAll(strings.Join(parts[:i+1], "."), "[]", "")
		for _, beside := range strings.Split(elements[at], ", ") {
			if key, _, _ := strings.Cut(beside, ":"); key != parts[i+1] {
				text += ", " + beside
			}
		}
		text = name + ": [{" + text + "}]"
	}
	return text
}

func TestReferenceHasEverySetting(t *testing.T) {
	const file = "docs/reference/settings.md"
	all := settings(t, "", reflect.ValueOf(config.Default()), map[string]map[string]*ast.StructType{})
	var b strings.Builder
	section := "-"
	for _, s := range all {
		top, _, inner := strings.Cut(s.path, ".")
		top = strings.TrimSuffix(top, "[]")
		if !inner {
			top = ""
		}
		if top != section {
			if section = top; top == "" {
				b.WriteString("\n### At the top\n\n")
			} else {
				fmt.Fprintf(&b, "\n### %s\n\n", top)
			}
			b.WriteString("| setting | type | default | allowed | meaning |\n|---|---|---|---|---|\n")
		}
		if s.text == "" {
			t.Errorf("%s has no comment in the code", s.path)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", s.path, s.kind, s.byDefault, s.allowed, s.text)
	}
	region(t, file, "settings", strings.TrimPrefix(b.String(), "\n")+"\n")

	for path := range sentences {
		if strings.HasPrefix(path, "recording: ") {
			continue
		}
		if !slices.ContainsFunc(all, func(s setting) bool { return s.path == path }) {
			t.Errorf("there is a sentence for %s, which the code does not have", path)
		}
	}

	// A setting that any document names in full exists.
	tops := map[string]bool{}
	paths := []string{}
	for _, s := range all {
		path := strings.ReplaceAll(s.path, "[]", "")
		paths = append(paths, path)
		if top, _, inner := strings.Cut(path, "."); inner {
			tops[top] = true
		}
	}
	for name, text := range documents(t) {
		for _, m := range regexp.MustCompile("`([a-z_]+)(\\[\\])?\\.([a-z_.\\[\\]]+)(?:: [^`]*)?`").FindAllStringSubmatch(text, -1) {
			path := strings.ReplaceAll(m[1]+"."+m[3], "[]", "")
			is := slices.ContainsFunc(paths, func(p string) bool { return p == path || strings.HasPrefix(p, path+".") })
			if tops[m[1]] && m[1] != "features" && !is && !elsewhere.MatchString(m[0]) {
				t.Errorf("%s names the setting %s, which the code does not have", name, path)
			}
		}
	}
}

// elsewhere are names that look like settings: files, topics, keys of messages and of Go.
var elsewhere = regexp.MustCompile("\\.(go|md|json|yaml|yml|apply|conversion|click)`|`model\\.(conversion|click)")

// recordingSettings lists the settings of recording.yaml from the source of its package.
func recordingSettings(t *testing.T) []setting {
	t.Helper()
	var list []setting
	all := structs(t, "app/recording")
	var walk func(path string, s *ast.StructType)
	walk = func(path string, s *ast.StructType) {
		for _, f := range s.Fields.List {
			tag := ""
			if f.Tag != nil {
				literal, _ := strconv.Unquote(f.Tag.Value)
				tag = reflect.StructTag(literal).Get("yaml")
			}
			kind := types(f.Type)
			if tag == "" {
				tag = strings.ToLower(f.Names[0].Name)
			}
			at := strings.TrimPrefix(path+"."+tag, ".")
			if inner := all[strings.TrimPrefix(kind, "[]")]; inner != nil {
				walk(at+strings.Repeat("[]", strings.Count(kind, "[]")), inner)
				continue
			}
			list = append(list, setting{path: at, kind: kind, text: remark(f)})
		}
	}
	for _, s := range all {
		if slices.ContainsFunc(s.Fields.List, func(f *ast.Field) bool { return f.Tag != nil && strings.Contains(f.Tag.Value, `yaml:"files"`) }) {
			walk("", s)
			return list
		}
	}
	t.Fatal("app/recording has no struct with a setting files")
	return nil
}

// types is a type's expression in source.
func types(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.ArrayType:
		return "[]" + types(e.Elt)
	case *ast.SelectorExpr:
		return types(e.X) + "." + e.Sel.Name
	}
	return ""
}

func TestReferenceHasEverySettingOfARecording(t *testing.T) {
	words := map[string]string{"string": "text", "[]string": "list", "time.Duration": "duration", "texts": "text or list", "event.Objective": "section"}
	var b strings.Builder
	b.WriteString("| setting | type | meaning |\n|---|---|---|\n")
	for _, s := range recordingSettings(t) {
		s.text = sentence("recording: "+s.path, s.text)
		if s.text == "" {
			t.Errorf("%s has no comment in the code", s.path)
		}
		kind := words[s.kind]
		if kind == "" {
			t.Errorf("%s is a %s, for which the reference has no word", s.path, s.kind)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.path, kind, s.text)
	}
	region(t, "docs/reference/recording.md", "recording", b.String())
}

func TestConfigurationsInDocumentsAreValid(t *testing.T) {
	blocks := 0
	for name, text := range documents(t) {
		for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1) {
			if strings.HasPrefix(m[1], "# recording.yaml") {
				path := filepath.Join(t.TempDir(), recording.File)
				if err := os.WriteFile(path, []byte(m[1]), 0o644); err != nil {
					t.Fatal(err)
				}
				if _, err := recording.Open(path); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if strings.HasPrefix(m[1], "# campaigns.yaml") {
				if _, err := campaign.ParseFile(name, []byte(m[1]), []string{"click", "conversion"}); err != nil {
					t.Error(err)
				}
				continue
			}
			blocks++
			if _, err := config.Parse(name, []byte(m[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if blocks < 2 {
		t.Errorf("%d configurations are found in the documents", blocks)
	}
}
