package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

const whereMessage = `{"user":"u1","ad":17,"code":"17","big":9007199254740993,"p":{"click":0.25,"a.b":1},"a":{"b":{"c":5}},"a.b":{"d":6},"row":7,"features":{"user.clicks_1h":2,"x y":"z"},` +
	`"ok":true,"no":false,"none":null,"list":[1],"empty":"","word":"true","time":"2026-11-25T09:00:00.000Z","say":"it's \"so\"","tiny":1e-400,"neg":-3}`

var whereCases = []struct {
	condition string
	want      bool
}{
	{"user=u1", true}, {"user==u1", true}, {"user!=u1", false}, {"user=u2", false}, {"user!=u2", true}, {`user="u1"`, true}, {"user = u1", true},
	{"p.click>0.2", true}, {"p.click>0.25", false}, {"p.click>=0.25", true}, {"p.click<0.25", false}, {"p.click<=0.25", true}, {"p.click<.3", true}, {"p.click=0.250", true}, {"p.click=2.5e-1", true}, {"p.click>+0.1", true},
	{"neg<-2", true}, {"neg>-2", false}, {"neg=-3.0", true},
	{"ad=17", true}, {`ad="17"`, false}, {`ad!="17"`, true}, {"code=17", true}, {`code="17"`, true}, {"code=17.0", false}, {"code>5", false}, {"code>abc", false}, {"ad>abc", false}, {"code<2", false},
	{"p.a.b=1", true}, {"a.b.c=5", true}, {"a.b.d=6", true}, {"a.b.x=6", false}, {"features.user.clicks_1h=2", true}, {"features.x y=z", true}, {"features.user.clicks_1h>=3", false},
	{"ok=true", true}, {"ok!=true", false}, {"no=false", true}, {"no!=false", false}, {"ok=false", false}, {"word=true", true}, {`word="true"`, true}, {`ok="true"`, false},
	{"none=null", true}, {"none!=null", false}, {"gone=null", true}, {"gone!=null", false}, {"user=null", false}, {"user!=null", true},
	{"gone=x", false}, {"gone!=x", true}, {"gone<5", false}, {"gone>5", false}, {"gone<x", false}, {"gone<=x", false}, {"gone=", false}, {"empty=", true}, {"gone.deeper=1", false}, {"user.deeper=1", false}, {"user.deeper!=1", true},
	{"list=1", false}, {"list!=1", true}, {"p=1", false}, {"p>1", false}, {"p!=null", true},
	{"time>2026-11-25", true}, {"time<2026-11-25", false}, {"time>=2026-11-25T09:00:00.000Z", true}, {"time<=2026-11-25T09:00:00.000Z", true},
	{`say="it's \"so\""`, true}, {`say=it's "so"`, true}, {"row<=7", true}, {"row<7", false}, {"row>=7", true}, {"row=7.0", true}, {"row=07", true},
}

func TestConditionsCompareByKind(t *testing.T) {
	f := func(s string, want bool) {
		t.Helper()
		c, err := parseCondition(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			return
		}
		if got := holds([]condition{c}, []byte(whereMessage)); got != want {
			t.Errorf("%s: %v, want %v", s, got, want)
		}
		for _, other := range []string{"", "nothing", "[1]", "5", "null", `"x"`} {
			if holds([]condition{c}, []byte(other)) {
				t.Errorf("%s holds for %q, which is no object", s, other)
			}
		}
	}
	for _, c := range whereCases {
		f(c.condition, c.want)
	}
	// exact, where a float64 is not
	f("big=9007199254740993", true)
	f("big=9007199254740992", false)
	f("big>9007199254740992", true)
	f("big<9007199254740994", true)
	f("big>=9007199254740994", false)
	f("tiny=0", true)
	f("row<1e999", true)
	f("row>-1e999", true)
}

func TestConditionsHoldTogether(t *testing.T) {
	f := func(want bool, texts ...string) {
		t.Helper()
		var all []condition
		for _, s := range texts {
			c, err := parseCondition(s)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		if got := holds(all, []byte(whereMessage)); got != want {
			t.Errorf("%v: %v", texts, got)
		}
	}
	f(true, "user=u1", "row=7")
	f(false, "user=u1", "row=8")
	f(false, "user=u2", "row=7")
}

func TestWrongConditionsAreRefused(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if _, err := parseCondition(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", s, err, want)
		}
	}
	f("", "has no operator")
	f("p.click", "put the condition in single quotes") // what a shell leaves of p.click>0.1
	f("p.click>", "single quotes")
	f("p.click<", "single quotes")
	f("=u1", "names no member")
	f(" >5", "names no member")
	f("user!u1", "want != where ! stands")
	f("a===b", `there is no operator "=="`)
	f("a=>5", `there is no operator "=>"`)
	f("a=<5", `there is no operator "=<"`)
	f("a<>5", `there is no operator "<>"`)
	f("a=!5", `there is no operator "=!"`)
	f(`a="b`, "is no text in double quotes")
	f("a>null", "want = or !=")
	f("a<=true", "want = or !=")
}

// jq decides as tail does, on each case.
func TestJqDecidesAsTailDoes(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		needTools(t, err)
	}
	type asked struct {
		condition string
		want      bool
	}
	var program strings.Builder
	var cases []asked
	for _, c := range whereCases {
		parsed, err := parseCondition(c.condition)
		if err != nil {
			t.Fatal(err)
		}
		filter, leftOut := jqFilter([]condition{parsed})
		if len(leftOut) > 0 {
			t.Errorf("%s is left out: %v", c.condition, leftOut)
			continue
		}
		if program.Len() > 0 {
			program.WriteString(",")
		}
		program.WriteString("([objects|select(" + filter + ")]|length)")
		cases = append(cases, asked{c.condition, c.want})
	}
	for _, message := range []string{whereMessage, "[1]", "5", "null"} {
		cmd := exec.Command("jq", "["+program.String()+"]")
		cmd.Stdin = strings.NewReader(message)
		out, err := cmd.CombinedOutput()
		var got []int
		if err != nil || json.Unmarshal(out, &got) != nil || len(got) != len(cases) {
			t.Fatalf("jq: %v: %s", err, out)
		}
		for i, c := range cases {
			if want := message == whereMessage && c.want; (got[i] == 1) != want {
				t.Errorf("jq takes %s of %.20s for %d, want %v", c.condition, message, got[i], want)
			}
		}
	}
}

func TestWhatJqCannotDoIsSaid(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		c, err := parseCondition(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, leftOut := jqFilter([]condition{c}); strings.Join(leftOut, ";") != want {
			t.Errorf("%s: %q, want %q", s, leftOut, want)
		}
	}
	f("big=9007199254740993", "the last digits of 9007199254740993, which jq rounds")
	f("big=9007199254740992", "")
	f("a=0.1", "")
	f("a.b.c.d=1", "")
	f("a.b.c.d.e=1", "--where on a.b.c.d.e, whose dots can be read in too many ways")
}

// Whole numbers that a float64 would round are texts of their digits on the topics.
func TestIdsAsTextsOfDigitsCompareAsNumbers(t *testing.T) {
	f := func(s string, want bool) {
		t.Helper()
		c, err := parseCondition(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{`9007199254740993`, `"9007199254740993"`} {
			if got := holds([]condition{c}, []byte(`{"properties":{"order":`+id+`}}`)); got != want {
				t.Errorf("%s of %s: %v, want %v", s, id, got, want)
			}
		}
	}
	f("properties.order=9007199254740993", true)
	f("properties.order=9007199254740992", false)
	f("properties.order!=9007199254740992", true)
	f("properties.order>9007199254740992", true)
	f("properties.order<=9007199254740992", false)
	f("properties.order<10000000000000000", true) // not by its first digit
	f("properties.order>-9007199254740993", true)
}
