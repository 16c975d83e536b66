package tail

import (
	"bytes"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

func printed(t *testing.T, o *Options, r *stream.Record) string {
	t.Helper()
	var out bytes.Buffer
	p := newPrinter(&out, o, "t")
	if err := p.print(r, r.Value); err != nil || p.flush() != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A record without a time, and one with the broker's, say so (edenhill/kcat issues 165 and 270).
func TestTimestampsTellWhoseTheyAre(t *testing.T) {
	f := func(want string, r stream.Record) {
		t.Helper()
		if got := printed(t, &Options{Envelope: true}, &r); !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	f(`"tstype":"unknown","ts":-1,`, stream.Record{})
	f(`"tstype":"create","ts":1790000000000,`, stream.Record{Time: at(0)})
	f(`"tstype":"logappend","ts":1790000000000,`, stream.Record{Time: at(0), Appended: true})
	if got := printed(t, &Options{Format: "%T"}, &stream.Record{}); got != "-1" {
		t.Errorf("%%T is %s", got)
	}
}

func TestColorsChangeNoByte(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		got := string(appendColored(nil, []byte(line)))
		plain := got
		for _, c := range []string{colorName, colorText, colorNumber, colorWord, colorEnd} {
			plain = strings.ReplaceAll(plain, c, "")
		}
		if plain != line {
			t.Errorf("%q became %q", line, plain)
		}
		got = strings.NewReplacer(colorName, "<n>", colorText, "<t>", colorNumber, "<0>", colorWord, "<w>", colorEnd, "</>").Replace(got)
		if want != "" && got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	f(`{"a":"b\"c","d":[-1.5e+3,true,null]}`, `{<n>"a"</>:<t>"b\"c"</>,<n>"d"</>:[<0>-1.5e+3</>,<w>true</>,<w>null</>]}`)
	f(`no JSON { "cut\`, "")
	f(`"`, "")
	f("\xff\"\\", "")
	f(string(prediction(3)), "")
}

// A NUL between messages, which kcat cannot print.
func TestAFormatMayHaveZeroBytes(t *testing.T) {
	if got := printed(t, &Options{Format: `%s\0`}, &stream.Record{Value: []byte("x")}); got != "x\x00" {
		t.Errorf("%q", got)
	}
	if got := printed(t, &Options{Format: `%R|%S|%K|%h`}, &stream.Record{Headers: []stream.Header{{Key: "a"}, {Key: "b", Value: []byte("1")}}}); got != "\xff\xff\xff\xff|-1|-1|a=NULL,b=1" {
		t.Errorf("%q", got)
	}
}

// With -e a tail ends where the topic ended when it began, however busy it is (edenhill/kcat issue
// 33).
func TestExitIsTheEndAtTheStart(t *testing.T) {
	s := tailed(t)
	o := s.options(t, "-e", "-o", "beginning", "--topic", oddTopic)
	more := 0
	out := writerFunc(func(b []byte) (int, error) {
		if more++; more == 1 {
			s.produce(t, oddTopic, stream.Record{Partition: 0, Value: []byte(`{"row":1000}`)}, stream.Record{Partition: 1, Value: []byte(`{"row":1001}`)})
		}
		if bytes.Contains(b, []byte("100")) && bytes.Contains(b, []byte(`"row":100`)) {
			t.Errorf("printed %s", b)
		}
		return len(b), nil
	})
	if err := Run(t.Context(), s.Client, o, out, &bytes.Buffer{}); err != nil || more == 0 {
		t.Error(err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// The topic of events has the broker's time: a tail says so, as kcat does.
func TestTheTimeOfEventsIsTheBrokers(t *testing.T) {
	if !backend.Real() {
		t.Skip("the embedded broker keeps the producer's time")
	}
	s := tailed(t)
	if err := s.EnsureTopics(t.Context(), stream.Topic{Name: event.TopicEvents, Partitions: 1, AppendTime: true}); err != nil {
		t.Fatal(err)
	}
	s.produce(t, event.TopicEvents, stream.Record{Partition: 0, Value: []byte(`{}`)})
	if out, _ := s.tail(t, "--topic", event.TopicEvents, "-J", "-e", "-o", "beginning"); !strings.Contains(out, `"tstype":"logappend"`) {
		t.Error(out)
	}
}
