package clickloop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fence is a block of code in a document.
type fence struct{ info, text string }

func fences(text string) []fence {
	var all []fence
	for _, m := range regexp.MustCompile("(?ms)^ *```([^\n]*)\n(.*?)^ *```$").FindAllStringSubmatch(text, -1) {
		all = append(all, fence{m[1], m[2]})
	}
	return all
}

// page runs the commands of a document against a `clickloop up` of its own.
type page struct {
	t         *testing.T
	dir       string
	addresses strings.Replacer
	server    *exec.Cmd
	servers   int
}

// start runs the command line of a server until the next one starts or the test ends, on free
// ports.
func (p *page) start(line string) {
	p.t.Helper()
	if p.server != nil {
		p.stop()
	}
	p.servers++
	words := strings.Fields(line)
	if words[0] != "clickloop" || words[1] != "up" {
		p.t.Fatalf("%s is no clickloop up", line)
	}
	file := filepath.Join(p.dir, fmt.Sprint("addresses", p.servers))
	args := append(words[1:], "--http", "127.0.0.1:0", "--addresses", file, "--data", filepath.Join(p.dir, fmt.Sprint("data", p.servers)))
	p.server = clickloop(context.WithoutCancel(p.t.Context()), p.t, args...)
	p.server.Dir, p.server.Env = p.dir, p.env()
	out, err := os.Create(filepath.Join(p.dir, "out"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close()
	p.server.Stdout, p.server.Stderr = out, out
	if err := p.server.Start(); err != nil {
		p.t.Fatal(err)
	}
	if p.servers == 1 {
		p.t.Cleanup(func() { p.stop() })
	}
	goesOn := "ready in"
	if strings.Contains(line, "--replay") {
		goesOn = "It goes on serving"
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		text, _ := os.ReadFile(file)
		log, _ := os.ReadFile(out.Name())
		if at := addresses(string(text)); at["REDIS"] != "" && strings.Contains(string(log), goesOn) {
			p.addresses = *strings.NewReplacer("localhost:8080", at["HTTP"], "localhost:8081", at["ADMIN"], "localhost:9092", at["KAFKA"], "localhost:6379", at["REDIS"])
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s is not ready after a minute: %s", line, log)
		}
	}
}

// stop ends the server.
func (p *page) stop() {
	_ = p.server.Process.Signal(syscall.SIGTERM)
	_ = p.server.Wait()
}

// addresses reads the lines of `up --addresses`.
func addresses(text string) map[string]string {
	at := map[string]string{}
	for line := range strings.Lines(text) {
		if name, address, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			at[name] = address
		}
	}
	return at
}

// env lets commands find the program, and the server of this page alone.
func (p *page) env() []string {
	path, err := program()
	if err != nil {
		p.t.Fatal(err)
	}
	return append(os.Environ(), "PATH="+filepath.Dir(path)+":"+os.Getenv("PATH"), "XDG_RUNTIME_DIR="+p.dir, "TMPDIR="+p.dir)
}

// run is what a block of commands prints.
func (p *page) run(commands string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-e", "-c", p.addresses.Replace(commands))
	cmd.Dir, cmd.Env = p.dir, p.env()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("%s\n%v\n%s%s", commands, err, out, errs.String())
	}
	return string(out)
}

// TestGuidesRunAsTheyStand runs the commands of each guide in their order, and compares what they
// print with what the guide shows.
func TestGuidesRunAsTheyStand(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip(err)
	}
	guides, err := filepath.Glob("docs/guide-*.md")
	if err != nil || len(guides) != 5 {
		t.Fatalf("%v: %v", guides, err)
	}
	examples, err := filepath.Abs("examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, guide := range guides {
		t.Run(filepath.Base(guide), func(t *testing.T) {
			p := &page{t: t, dir: t.TempDir()}
			if err := os.Symlink(examples, filepath.Join(p.dir, "examples")); err != nil {
				t.Fatal(err)
			}
			out, ran := "", 0
			for _, f := range fences(documents(t)[guide]) {
				switch f.info {
				case "sh server":
					p.start(f.text)
				case "sh":
					if out = missing; runs(f.text) {
						out = p.run(f.text)
						ran++
					}
				case "json", "text":
					if out != missing {
						compare(t, f, out, &p.addresses)
					}
				}
			}
			if ran < 5 {
				t.Errorf("%d blocks of commands ran", ran)
			}
		})
	}
}

// missing stands for what a command prints whose program is not there.
const missing = "missing"

// runs says whether the tools of a block are there: kcat and jq may be missing.
func runs(commands string) bool {
	for _, tool := range []string{"kcat", "jq"} {
		if _, err := exec.LookPath(tool); err != nil && regexp.MustCompile(`\b`+tool+`\b`).MatchString(commands) {
			return false
		}
	}
	return true
}

// compare checks that a command printed what is shown: of JSON, values in this order with at least
// these members; of text, lines in this order.
func compare(t *testing.T, shown fence, out string, addresses *strings.Replacer) {
	t.Helper()
	if shown.info == "text" {
		rest := strings.Split(out, "\n")
		for line := range strings.Lines(addresses.Replace(shown.text)) {
			for len(rest) > 0 && strings.TrimRight(rest[0], " ") != strings.TrimRight(line, " \n") {
				rest = rest[1:]
			}
			if len(rest) == 0 {
				t.Errorf("shown is %q, printed\n%s", line, out)
				return
			}
		}
		return
	}
	printed := values(t, out)
	want := values(t, shown.text)
	if len(want) == 0 {
		t.Errorf("nothing is shown in\n%s", shown.text)
	}
	for _, w := range want {
		problem := "nothing is left"
		for len(printed) > 0 && problem != "" {
			problem, printed = lacks("", printed[0], w), printed[1:]
		}
		if problem != "" {
			t.Errorf("%s: shown is\n%s\nprinted\n%s", problem, shown.text, out)
			return
		}
	}
}

// values are the JSON values of a text, one behind the other.
func values(t *testing.T, text string) []any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var all []any
	for {
		var v any
		err := d.Decode(&v)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Errorf("%v in\n%s", err, text)
			return all
		}
		all = append(all, v)
	}
}

// lacks says where a value lacks what is shown of it. The text "..." stands for any value.
func lacks(at string, is, shown any) string {
	switch s := shown.(type) {
	case map[string]any:
		object, ok := is.(map[string]any)
		if !ok {
			return at + " is no object"
		}
		for name, v := range s {
			if problem := lacks(at+"."+name, object[name], v); problem != "" {
				return problem
			}
		}
		return ""
	case []any:
		list, ok := is.([]any)
		if !ok || len(list) != len(s) {
			return at + " has another number of elements"
		}
		for i, v := range s {
			if problem := lacks(fmt.Sprintf("%s[%d]", at, i), list[i], v); problem != "" {
				return problem
			}
		}
		return ""
	}
	if shown == "..." && is != nil || shown == is {
		return ""
	}
	return fmt.Sprintf("%s is %v, not %v", at, is, shown)
}

// The README follows a recorded contact: the messages that it shows are those of a run.
func TestTheRowInTheReadmeIsThatOfARun(t *testing.T) {
	p := &page{t: t, dir: t.TempDir()}
	bank, err := filepath.Abs("examples/bank-marketing")
	if err != nil {
		t.Fatal(err)
	}
	p.start("clickloop up --lockstep --limit 120 --replay " + bank)
	var shown []any
	for _, f := range fences(documents(t)["README.md"]) {
		if f.info == "json" {
			shown = append(shown, values(t, f.text)...)
		}
	}
	if len(shown) != 4 {
		t.Fatalf("README.md shows %d messages, want the request, the prediction, the event and the example", len(shown))
	}
	const id = "bank-marketing-00000076"
	prediction := values(t, p.run("clickloop tail predictions -o beginning -e 'request == \""+id+"\"'"))
	request := map[string]any{"request": id, "context": prediction[0].(map[string]any)["features"], "candidates": []any{map[string]any{"ad": prediction[0].(map[string]any)["ad"]}}}
	for i, is := range [][]any{
		{request}, prediction, values(t, p.run("clickloop tail events -o beginning -e 'request == \""+id+"\"'")),
		values(t, p.run("clickloop tail examples.conversion -o beginning -e 'prediction == \""+id+".0\"'")),
	} {
		if len(is) != 1 {
			t.Fatalf("%d messages are found for the %dth that is shown", len(is), i+1)
		}
		if problem := lacks("", is[0], shown[i]); problem != "" {
			t.Errorf("message %d of README.md: %s", i+1, problem)
		}
	}
}
