package tail

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

const filtered = `{"user":"u1","ad":17,"code":"17","big":9007199254740993,"even":9007199254740994,"p":{"click":0.25,"a.b":1},"a":{"b":{"c":5}},"a.b":{"d":6},"row":7,"features":{"user.clicks_1h":2,"x y":"z"},` +
	`"ok":true,"no":false,"none":null,"list":[1],"tags":["a",["b",0.5],{"c":1}],"empty":"","word":"true","time":"2026-11-25T09:00:00.000Z","say":"it's \"so\"","tiny":1e-400,"neg":-3}`

var filteredRecord = stream.Record{Partition: 3, Offset: 17, Time: time.UnixMilli(1_790_000_000_123), Key: []byte("k1"), Headers: []stream.Header{{Key: "schema", Value: []byte("x/1")}, {Key: "null"}}}

// filterCases hold of filtered, or do not.
var filterCases = []struct {
	condition string
	want      bool
}{
	{`user == "u1"`, true}, {`user != "u1"`, false}, {`user == "u2"`, false}, {`user in ["u1", "u2"]`, true},
	{`p.click > 0.2`, true}, {`p.click > 0.25`, false}, {`p.click >= 0.25`, true}, {`p.click < .3`, true}, {`p.click == 2.5e-1`, true}, {`neg < -2`, true}, {`neg == -3.0`, true},
	{`ad == 17`, true}, {`ad == "17"`, false}, {`ad != "17"`, true}, {`code == "17"`, true}, {`code == 17`, false}, {`code > "5"`, false}, {`code > 5`, false}, {`ad > "abc"`, false},
	{`big == "9007199254740993"`, true}, {`big == "9007199254740992"`, false}, {`big > 9e15`, true}, {`even == "9007199254740994"`, true}, {`even != "9007199254740993"`, true},
	{`p["a.b"] == 1`, true}, {`p.a.b == 1`, true}, {`a.b.c == 5`, true}, {`a.b.x == 6`, false}, {`features.user.clicks_1h == 2`, true}, {`features["user.clicks_1h"] >= 2`, true}, {`features["x y"] == "z"`, true},
	{`ok`, true}, {`ok == true`, true}, {`not no`, true}, {`no != false`, false}, {`word`, true}, {`word == "true"`, true}, {`ok == "true"`, true},
	{`none == nil`, true}, {`none != nil`, false}, {`gone == nil`, true}, {`user == nil`, false}, {`user != nil`, true}, {`p != nil`, true}, {`p == nil`, false},
	{`gone == "x"`, false}, {`gone != "x"`, false}, {`(gone ?? "y") != "x"`, true}, {`gone < 5`, false}, {`empty == ""`, true}, {`gone.deeper == 1`, false}, {`user.deeper == 1`, false},
	{`"1" in list`, true}, {`"b" in tags`, true}, {`"c" in tags`, false}, {`p == 1`, false}, {`p > 1`, false},
	{`time > "2026-11-25"`, true}, {`time < "2026-11-25"`, false}, {`time >= "2026-11-25T09:00:00.000Z"`, true},
	{`say == "it's \"so\""`, true}, {`row <= 7 and row >= 7`, true}, {`row == 7.0`, true}, {`row == 8 or user == "u1"`, true}, {`gone == 8 or user == "u1"`, false}, {`user == "u1" or gone == 8`, true},
	{`record.key == "k1" and record.partition == 3 and record.offset == 17`, true}, {`record.time_ms == 1790000000123`, true}, {`header.schema == "x/1"`, true}, {`header.gone == nil and header["null"] == nil`, true},
}

func anyFilter(t testing.TB, texts ...string) *filter {
	t.Helper()
	f, err := newFilter(texts, namesOf("foreign", nil, false))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestConditionsDecideByTheMembersOfAMessage(t *testing.T) {
	for _, c := range filterCases {
		f := anyFilter(t, c.condition)
		for range 2 { // the second time in used memory
			if got := f.holds(&filteredRecord, []byte(filtered)); got != c.want {
				t.Errorf("%s: %v, want %v", c.condition, got, c.want)
			}
		}
		if strings.Contains(c.condition, "record") || strings.Contains(c.condition, "header") {
			continue
		}
		for _, other := range []string{"", "nothing", "[1]", "5", "null", `"x"`, filtered + "x", filtered[:len(filtered)-1]} {
			if f.holds(&filteredRecord, []byte(other)) {
				t.Errorf("%s holds for %q, which is no object", c.condition, other)
			}
		}
	}
}

// A name is read whole before it is read as a path, whatever order the members stand in.
func TestDottedNamesAreReadInOneOrder(t *testing.T) {
	f := func(want bool, message string) {
		t.Helper()
		if got := anyFilter(t, "g.a.b.c == 1").holds(&filteredRecord, []byte(message)); got != want {
			t.Errorf("%s: %v", message, got)
		}
	}
	f(true, `{"g":{"a.b.c":1,"a":{"b.c":2}}}`)
	f(true, `{"g":{"a":{"b.c":2},"a.b.c":1}}`)
	f(true, `{"g":{"a":{"b":{"c":2},"b.c":1}}}`)
	f(true, `{"g":{"a":{"b.c":1},"a.b":{"c":2}}}`)
	f(true, `{"g":{"a.b":{"c":1},"a.b.c":null}}`)
	f(false, `{"g.a":{"b":{"c":1}}}`)
}

func TestConditionsHoldTogether(t *testing.T) {
	if !anyFilter(t, `user == "u1"`, `row == 7`).holds(&filteredRecord, []byte(filtered)) {
		t.Error("both hold")
	}
	if anyFilter(t, `user == "u1"`, `row == 8`).holds(&filteredRecord, []byte(filtered)) {
		t.Error("one does not hold")
	}
}

func TestWrongConditionsAreRefusedWithTheirColumnAndARemedy(t *testing.T) {
	f := func(topic, condition, want string) {
		t.Helper()
		_, err := newFilter([]string{condition}, namesOf(topic, objectives, false))
		if got := fmt.Sprint(err); got != want {
			t.Errorf("%s: %s\nwant %s", condition, got, want)
		}
	}
	f("predictions", "p.clik > 1", `the condition "p.clik > 1": at column 1: p.clik is not known; did you mean click?`)
	f("predictions", "usr == 1", `the condition "usr == 1": at column 1: usr is not known; did you mean user?`)
	f("predictions", "user == 1", `the condition "user == 1": at column 6: compares a text with a number; write user == "1"`)
	f("predictions", "user=u1", `the condition "user=u1": at column 5: "=": assignments are not part of the language; write user == "u1"`)
	f("predictions", "row=36", `the condition "row=36": at column 4: "=": assignments are not part of the language; write row == 36`)
	f("predictions", "user=null", `the condition "user=null": at column 5: "=": assignments are not part of the language; write user == nil`)
	f("predictions", "user=17", `the condition "user=17": at column 5: "=": assignments are not part of the language; write user == "17"`)
	f("evaluations", "window=1m", `the condition "window=1m": at column 9: bad number syntax: "1m"; write window == "1m"`)
	f("events", "type!=heartbeat", `the condition "type!=heartbeat": at column 7: heartbeat is not known; known are ad, anonymous, campaign, channel, collector, context.NAME, header.NAME, id, leaving, original_time, prediction, properties.NAME, received, record.NAME, request, source, time, time_rule, token, type, user, value; write type != "heartbeat"`)
	f("predictions", "p.click", `the condition "p.click": at column 1: is a number, want a boolean; `+errShell)
	f("predictions", "p.click >", `the condition "p.click >": at column 10: is not complete: more is expected here`)
	f("foreign", "big == 9007199254740993", `the condition "big == 9007199254740993": at column 8: has more digits than a number holds: compare it as a text, "9007199254740993", or write it with an exponent; write big == "9007199254740993"`)
	f("predictions", "", `the condition "": is empty; `+errShell)
	f("predictions", "features.a.b.c.d.e.f.g.h.i == 1", `the condition "features.a.b.c.d.e.f.g.h.i == 1": at column 1: the name has more than 8 parts`)
	f("examples.click", "revision and source.offset > 3 and y == 1", "<nil>")
	f("catalogue.shop", "fields.price > 3", "<nil>")
	f("model.click", "whatever == 1 and g.h == 2", "<nil>")
}

// What a filter leaves out without a word is told at the end: a misspelt feature has no value.
func TestWhatNoMessageHasIsTold(t *testing.T) {
	f := anyFilter(t, `features.devise == "x" or p.click > 2`, `user > 3`)
	for range 3 {
		f.holds(&filteredRecord, []byte(filtered))
	}
	f.tally()
	if got := strings.Join(f.complaints(), "\n"); got != "none of 3 messages had features.devise" {
		t.Error(got)
	}
	f = anyFilter(t, `user > 3`)
	f.holds(&filteredRecord, []byte(filtered))
	f.tally()
	if got := strings.Join(f.complaints(), "\n"); got != "1 of 1 messages are left out, since there is no result: of user > 3 at column 1: user is not a number (partition 3 offset 17)" {
		t.Error(got)
	}
}

// jq decides as tail does, on each case.
func TestJqDecidesAsTailDoes(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		needTools(t, err)
	}
	var parts []string
	var cases []int
	for i, c := range filterCases {
		if strings.Contains(c.condition, `"900719925474099`) {
			continue // jq rounds it
		}
		filter, leftOut := jqFilter([]string{c.condition}, namesOf("foreign", nil, false))
		if len(leftOut) > 0 {
			t.Errorf("%s is left out: %v", c.condition, leftOut)
		}
		parts, cases = append(parts, "[select("+filter+")]|length"), append(cases, i)
	}
	var in strings.Builder
	p := newPrinter(&in, &Options{Envelope: true}, "t")
	r := filteredRecord
	r.Value = []byte(filtered)
	if err := p.print(&r, r.Value); err != nil || p.flush() != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("jq", "-r", "("+strings.Join(parts, "),(")+")")
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.CombinedOutput()
	got := strings.Fields(string(out))
	if err != nil || len(got) != len(cases) {
		t.Fatalf("jq: %v: %s", err, out)
	}
	for i, at := range cases {
		if c := filterCases[at]; (got[i] == "1") != c.want {
			t.Errorf("jq takes %s for %s, want %v", c.condition, got[i], c.want)
		}
	}
}

// The names of a topic are those of its schema.
func TestNamesAreThoseOfTheSchemas(t *testing.T) {
	for topic, schema := range map[string]string{
		event.TopicEvents: "event", event.TopicPredictions: "prediction", event.TopicExamples(""): "example", event.TopicEvaluations: "evaluation",
		event.TopicDeadLetter: "deadletter", event.TopicBids: "bid", event.TopicCatalogue(""): "item",
	} {
		all := namesOf(topic, nil, false)
		for _, name := range schemaNames(t, schema) {
			known := false
			for member := range all.Members {
				known = known || member == name || strings.HasPrefix(member, name+".")
			}
			for _, group := range all.Fields {
				known = known || group == name
			}
			if !known {
				t.Errorf("%s: the schema has %s, a filter has not", topic, name)
			}
		}
		if all.Any {
			t.Errorf("%s takes any name", topic)
		}
	}
}

// BenchmarkFilter is the cost of a message without its reading.
func BenchmarkFilter(b *testing.B) {
	f, err := newFilter([]string{`p.click > 0.9 && features.device == "mobile"`}, namesOf(event.TopicPredictions, objectives, false))
	if err != nil {
		b.Fatal(err)
	}
	message := prediction(7)
	b.ReportAllocs()
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		f.holds(&filteredRecord, message)
	}
}
