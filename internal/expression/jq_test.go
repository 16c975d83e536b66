package expression

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
)

// tailNames are names as a tool that filters messages has them.
var tailNames = Names{
	Fields:  []string{"features", "context"},
	Members: map[string]Kind{"user": Text, "y": Number, "revision": Boolean, "p.click": Number, "p.conversion": Number, "others": Anything},
}

func TestMembersAreCheckedByWhatTheyHold(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := Condition(text, tailNames)
		if got := fmt.Sprint(err); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	f(`user == "u1" and p.click > 0.1 and features.device in ["a"]`, "<nil>")
	f(`user >= "u1" or revision or user == nil or (y ?? 0) > 1 or others != nil`, "<nil>")
	f(`user > 5`, "at column 1: is a text, want a number")
	f(`user == 5`, "at column 6: compares a text with a number")
	f(`user in [1, 2]`, "at column 10: is a number, and what is looked for is a text")
	f(`p.click`, "at column 1: is a number, want a boolean")
	f(`p.click > "x"`, "at column 11: is a text, want a number")
	f(`usr == "u1"`, "at column 1: usr is not known; did you mean user?")
	f(`y > 0 && p.clik > 1`, "at column 10: p.clik is not known; did you mean click?")
	f(`feature.x > 1`, "at column 1: the group feature is not known; did you mean features?")
	f(`user.x > 1`, "at column 1: user is no group of fields, and has no x")
	f(`features > 1`, "at column 1: features stands for a group of fields: write features.NAME")
	f(`y > `, "at column 5: is not complete: more is expected here")
	f(`user = "x"`, `at column 6: "=": assignments are not part of the language`)
}

func TestAnyNameIsAllowedWhereNoneAreKnown(t *testing.T) {
	p, err := Condition(`a == 1 and b.c > "x" and b["d e"] != nil`, Names{Any: true})
	if err != nil || fmt.Sprint(p.Refs()) != "[{a  1} {b c 12} {b d e 26}]" {
		t.Errorf("%v: %v", p.Refs(), err)
	}
}

// jqMessages are told by their fields; what is not listed is missing.
var jqMessages = []string{
	`{"user":"u1","y":1,"p.click":0.25,"features.device":"mobile","features.n":3,"features.ok":true,"features.tags":["a","b"],"revision":true}`,
	`{"user":"u2","y":0,"p.click":0.5,"features.device":"desktop","features.n":0,"features.tags":["c"],"features.code":"17"}`,
	`{"y":-2.5,"features.n":-3,"features.device":"7","features.ok":"false","p.conversion":0.5}`,
	`{}`,
}

// jqConditions are evaluated by Program and by jq for each message.
var jqConditions = []string{
	`user == "u1"`, `user != "u1"`, `user == nil`, `user != nil`, `"u1" == user`, `user > "u1"`, `user >= "u1"`, `user < "u2"`, `"u1" <= user`,
	`p.click > 0.3`, `p.click >= 0.25 and y == 1`, `p.click > 0.3 or y == 1`, `y == 1 or p.click > 0.3`, `not (p.click > 0.3)`, `!(y == 1)`, `(p.conversion ?? 0) == 0`, `p.click * 2 + 1 - 0.5 > 1.2`,
	`y / features.n > 0`, `y % 2 == 0`, `y ** 2 == 6.25`, `(y ** 0.5) >= 0`, `-y < 0`, `+y > 0`, `y / 0 == 1`, `log(y) == 0`, `sqrt(y) == 1`, `exp(y) > 2`, `abs(y) == 2.5`, `floor(y) == -3`, `ceil(y) == -2`, `round(p.click * 10) == 3`,
	`max(y, 0.5, p.click) == 1`, `min(y, 0) < 0`, `y > 0 ? p.click < 0.3 : p.click > 0.4`, `(y > 0 ? "a" : "b") == "a"`,
	`features.device == "mobile"`, `features.device == 7`, `features.device == "7"`, `features.device != 7`, `features.n == 3`, `features.n == "3"`, `features.device in ["mobile", "7"]`, `features.device not in ["mobile"]`, `features.n in [0, 3]`, `user in ["u1", "u9"]`, `y in [1, -2.5]`,
	`features.ok`, `features.ok == true`, `features.ok == "true"`, `features.ok != false`, `not features.ok`, `revision`, `revision == true`, `revision ?? false`, `true`, `false or y == 1`,
	`"a" in features.tags`, `"c" in features.tags or y == 1`, `features.device in features.tags`, `"mobile" in features.device`, `"x" in features.n`, `features.tags != nil`, `features.tags == nil`, `features.tags == features.tags`, `features.device == user`,
	`features.code > "16"`, `features.code == 17`, `(features.code ?? features.device) == "mobile"`, `(features.n ?? 5) > 2`, `(features.missing ?? features.n ?? 5) == 5`, `(features.missing ?? "x") == "x"`, `1 < y + 1 < 3`,
}

func TestJqDecidesAsAProgramDoes(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("apt-get install jq")
	}
	var filters []string
	for _, text := range jqConditions {
		filter, err := JQ(text, tailNames, func(r Ref) string { return `.[` + quoted(r.name()) + `]` })
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		filters = append(filters, "("+filter+")")
	}
	cmd := exec.Command("jq", "-c", "["+strings.Join(filters, ",")+"]")
	cmd.Stdin = strings.NewReader(strings.Join(jqMessages, "\n"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	held := 0
	for i, message := range jqMessages {
		var fields event.Fields
		var got []bool
		if err := fields.UnmarshalJSON([]byte(message)); err != nil || json.Unmarshal([]byte(lines[i]), &got) != nil || len(got) != len(jqConditions) {
			t.Fatalf("%v: %s", err, lines[i])
		}
		for j, text := range jqConditions {
			p, err := Condition(text, tailNames)
			if err != nil {
				t.Fatal(err)
			}
			var run Run
			for _, r := range p.Refs() {
				v, _ := fields.Lookup(r.name())
				run.Values = append(run.Values, v)
			}
			want, _ := p.Bool(&run)
			if want {
				held++
			}
			if got[j] != want {
				t.Errorf("%s of %s: jq says %v, want %v: %s", text, message, got[j], want, filters[j])
			}
		}
	}
	if held < 60 {
		t.Errorf("only %d conditions held", held)
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestAFilterThatIsTooLongForJqIsRefused(t *testing.T) {
	nested := "features.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	for range 12 {
		nested = "(" + nested + " ?? features.b)"
	}
	if _, err := JQ(nested+" == 1", tailNames, func(r Ref) string { return "." + r.Field }); err != ErrNotJQ {
		t.Errorf("%v", err)
	}
}
