package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// needTools skips where kcat or jq is missing; beside real services, which are set up for all tests
// to run, it fails.
func needTools(t *testing.T, err error) {
	t.Helper()
	if backend.Real() {
		t.Fatalf("%v: the tests with real services need kcat and jq (apt-get install kcat jq)", err)
	}
	t.Skipf("%v: apt-get install kcat jq", err)
}

// at is when the record of that number was produced.
func at(n int) time.Time { return time.UnixMilli(1_790_000_000_000 + int64(n)*1000) }

// tailed is a topic of two partitions, with nulls, odd bytes and headers.
func tailed(t *testing.T) (client *stream.Client, flags []string) {
	t.Helper()
	brokers, prefix := backend.Kafka(t), backend.Prefix(t)
	client, err := stream.Dial(stream.Config{Brokers: brokers, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	// records are of a fixed day
	if err := client.EnsureTopics(t.Context(), stream.Topic{Name: event.TopicPredictions, Partitions: 2, Retention: 100 * 365 * 24 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	var records []stream.Record
	for i := range 40 {
		r := stream.Record{Partition: i % 2, Time: at(i), Key: fmt.Appendf(nil, "k%d", i), Headers: []stream.Header{{Key: "schema", Value: []byte("prediction/1")}}}
		r.Value = fmt.Appendf(nil, `{"id":"p%d","user":"u%d","row":%d,"p":{"click":%v},"context":{"a.b":"<é&>","price":1.50},"big":90071992547409%d}`, i, i%3, i, float64(i)/40, 93+i)
		records = append(records, r)
	}
	records = append(records,
		stream.Record{Partition: 0, Time: at(40), Value: []byte("no JSON {"), Headers: []stream.Header{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}}},
		stream.Record{Partition: 1, Time: at(41), Key: []byte("odd"), Value: []byte(`"text"`)},
		stream.Record{Partition: 0, Time: at(42), Value: []byte(`[1,2]`)})
	if err := client.Produce(t.Context(), event.TopicPredictions, records); err != nil {
		t.Fatal(err)
	}
	return client, []string{"--kafka", strings.Join(brokers, ","), "--prefix", prefix}
}

// tailOut is what tail prints on standard output and error.
func tailOut(t *testing.T, args ...string) (out, errs string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var stdout, stderr bytes.Buffer
	if status := execute(ctx, append([]string{"tail", event.TopicPredictions}, args...), &stdout, &stderr); status != 0 {
		t.Fatalf("tail %v: status %d: %s", args, status, stderr.String())
	}
	return stdout.String(), stderr.String()
}

func rows(t *testing.T, out string) []int {
	t.Helper()
	var list []int
	for _, m := range regexp.MustCompile(`"row":(\d+)`).FindAllStringSubmatch(out, -1) {
		var n int
		if _, err := fmt.Sscan(m[1], &n); err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}

func TestTailReadsWhatItsFlagsSay(t *testing.T) {
	_, flags := tailed(t)
	f := func(want []int, args ...string) {
		t.Helper()
		out, _ := tailOut(t, append(append([]string{"-e"}, args...), flags...)...)
		if got := rows(t, out); !slices.Equal(got, want) {
			t.Errorf("%v gave rows %v, want %v", args, got, want)
		}
	}
	between := func(from, to, step int) (list []int) {
		for i := from; i < to; i += step {
			list = append(list, i)
		}
		return list
	}
	f(nil)
	f(nil, "-o", "end")
	f(between(0, 40, 1), "-o", "beginning")
	f(between(1, 40, 2), "-o", "beginning", "-p", "1")
	// two records without a row in partition 0, one in partition 1
	f(between(36, 40, 1), "-o", "-4", "--where", "row>=36")
	f([]int{35, 37, 39}, "-p", "1", "-o", "-4")
	f(between(0, 40, 2), "-p", "0", "-o", "-1000")
	f([]int{37, 39}, "-p", "1", "-o", "18")
	f(nil, "-p", "1", "-o", "1000")
	f(between(30, 40, 1), "-o", at(30).UTC().Format("@"+time.RFC3339))
	f(between(30, 40, 1), "-o", fmt.Sprintf("s@%d", at(30).UnixMilli()))
	f(between(31, 40, 1), "-o", fmt.Sprintf("@%d", at(30).UnixMilli()+1))
	f(nil, "-o", fmt.Sprintf("s@%d", at(90).UnixMilli()))
	f(between(10, 20, 1), "-o", fmt.Sprintf("s@%d", at(10).UnixMilli()), "-o", fmt.Sprintf("e@%d", at(20).UnixMilli()))
	f(between(0, 20, 1), "-o", "beginning", "-o", fmt.Sprintf("e@%d", at(20).UnixMilli()))
	f([]int{1, 3, 5}, "-o", "beginning", "-p", "1", "-c", "3")
	f([]int{31, 37}, "-o", "beginning", "-p", "1", "--where", "p.click>.7", "--where", "user=u1", "-c", "2")
	f([]int{5}, "-o", "beginning", "--where", "big=9007199254740998")
	f(between(0, 40, 1), "-o", "beginning", "--where", `context.a.b="<é&>"`)
}

func TestTheEnvelopeOfATombstone(t *testing.T) {
	f := func(r stream.Record, want string) {
		t.Helper()
		var out bytes.Buffer
		p := &printer{w: bufio.NewWriter(&out), options: &tailOptions{envelope: true}, topic: "t"}
		if err := p.print(&r); err != nil {
			t.Fatal(err)
		}
		if err := p.flush(); err != nil || out.String() != `{"topic":"t","partition":3,"offset":7,"tstype":"create","ts":1790000000000,`+want+"}\n" {
			t.Errorf("%v: %s", err, out.String())
		}
	}
	r := stream.Record{Partition: 3, Offset: 7, Time: at(0), Key: []byte("gone")}
	f(r, `"key":"gone","payload":null`)
	r.Key, r.Value = nil, []byte("v")
	f(r, `"key":null,"payload":"v"`)
	r.Key, r.Value = []byte{}, []byte{}
	f(r, `"key":"","payload":""`)
	r.Headers = []stream.Header{{Key: "a", Value: nil}, {Key: "b", Value: []byte{}}}
	f(r, `"headers":["a",null,"b",""],"key":"","payload":""`)
}

// Without -e, -c ends it at once.
func TestTailEndsAfterItsCount(t *testing.T) {
	_, flags := tailed(t)
	if out, _ := tailOut(t, append([]string{"-o", "beginning", "-c", "5"}, flags...)...); strings.Count(out, "\n") != 5 {
		t.Errorf("-c 5 gave %q", out)
	}
}

func TestTheEnvelopeTellsNullFromEmpty(t *testing.T) {
	_, flags := tailed(t)
	out, _ := tailOut(t, append([]string{"-J", "-e", "-o", "beginning"}, flags...)...)
	for _, want := range []string{
		`"partition":0,"offset":20,"tstype":"create","ts":1790000040000,"headers":["a","1","b","2"],"key":null,"payload":"no JSON {"}`,
		`"headers":["schema","prediction/1"],"key":"k0","payload":"{\"id\":\"p0\"`, `<é&>`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is not in\n%s", want, out)
		}
	}
}

func TestWrongFlagsOfTailAreRefused(t *testing.T) {
	_, flags := tailed(t)
	f := func(status int, want string, args ...string) {
		t.Helper()
		var errs bytes.Buffer
		if got := execute(t.Context(), append(append([]string{"tail"}, args...), flags...), io.Discard, &errs); got != status || !strings.Contains(errs.String(), want) {
			t.Errorf("%v: status %d, %s; want %d, %s", args, got, errs.String(), status, want)
		}
	}
	f(2, "name one topic")
	f(2, "name one topic", "a", "b")
	f(2, "stored is where a consumer group goes on", "predictions", "-o", "stored")
	f(2, "want beginning, end, -N", "predictions", "-o", "start")
	f(2, "want beginning, end, -N", "predictions", "-o", "")
	f(2, "want beginning, end, -N", "predictions", "-o", "+5")
	f(2, "want beginning, end, -N", "predictions", "-o", "99999999999999999999")
	f(2, "want RFC 3339", "predictions", "-o", "@yesterday")
	f(2, "want RFC 3339", "predictions", "-o", "e@")
	f(2, "want RFC 3339", "predictions", "-o", "s@-5")
	f(2, "another -o says where to begin", "predictions", "-o", "5", "-o", "end")
	f(2, "another -o says where to stop", "predictions", "-o", "e@5", "-o", "e@6")
	f(1, "is not after", "predictions", "-o", "s@5000", "-o", "e@5000")
	f(1, "-p is -2", "predictions", "-p", "-2")
	f(1, "-p is 2, but topic", "predictions", "-p", "2")
	f(1, "-c is -1", "predictions", "-c", "-1")
	f(2, "single quotes", "predictions", "--where", "p.click")
}

// printedKcat is the line that tail prints.
func printedKcat(t *testing.T, errs string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^the same with kcat: (.*)$`).FindStringSubmatch(errs)
	if m == nil {
		t.Fatalf("no kcat line in %q", errs)
	}
	return m[1]
}

// TestKcatPrintsTheSame runs each line that tail prints in a shell.
func TestKcatPrintsTheSame(t *testing.T) {
	for _, tool := range []string{"kcat", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			needTools(t, err)
		}
	}
	_, flags := tailed(t)
	// lines are sorted, since partitions come in any order, and envelopes are compared by what they
	// say: kcat's name the broker too
	lines := func(out string) []string {
		list := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		for i, l := range list {
			var e map[string]any
			if strings.HasPrefix(l, `{"topic"`) && json.Unmarshal([]byte(l), &e) == nil {
				delete(e, "broker")
				b, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				list[i] = string(b)
			}
		}
		slices.Sort(list)
		return list
	}
	f := func(args ...string) {
		t.Helper()
		out, errs := tailOut(t, append(slices.Clone(args), flags...)...)
		line := printedKcat(t, errs)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		got, err := exec.CommandContext(ctx, "sh", "-c", line).Output()
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if a, b := lines(out), lines(string(got)); !slices.Equal(a, b) {
			t.Errorf("%v and %s differ:\n%s\nand\n%s", args, line, strings.Join(a, "\n"), strings.Join(b, "\n"))
		}
	}
	tombstone := exec.Command("kcat", "-P", "-b", flags[1], "-t", flags[3]+event.TopicPredictions, "-p", "1", "-K", "=", "-Z")
	tombstone.Stdin = strings.NewReader("gone=\n")
	if out, err := tombstone.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, _ := tailOut(t, append([]string{"-e", "-o", "-1", "-p", "1", "-J"}, flags...)...); !strings.HasSuffix(out, `"key":"gone","payload":null}`+"\n") {
		t.Errorf("a tombstone is %s", out)
	}
	f("-e", "-o", "beginning")
	f("-e", "-o", "beginning", "-J")
	f("-e")
	f("-e", "-o", "-3")
	f("-e", "-o", "-3", "-p", "1", "-J")
	f("-e", "-o", "-1000")
	f("-e", "-o", "5")
	f("-e", "-o", "@"+at(25).UTC().Format(time.RFC3339))
	f("-e", "-o", fmt.Sprintf("s@%d", at(10).UnixMilli()), "-o", fmt.Sprintf("e@%d", at(20).UnixMilli()))
	f("-o", "beginning", "-p", "0", "-c", "4")
	f("-e", "-o", "beginning", "--where", "p.click>0.5", "--where", "user=u1")
	f("-e", "-o", "beginning", "--where", "p.click>0.5", "-J")
	f("-e", "-o", "beginning", "--where", "user!=u1", "-p", "0", "-c", "3")
	f("-e", "-o", "beginning", "--where", `context.a.b="<é&>"`)
}

func TestTailSaysWhatKcatLeavesOut(t *testing.T) {
	_, flags := tailed(t)
	_, errs := tailOut(t, append([]string{"-e", "--where", "big=9007199254740993"}, flags...)...)
	if !strings.Contains(errs, "but it leaves out the last digits of 9007199254740993, which jq rounds") {
		t.Error(errs)
	}
	if _, errs := tailOut(t, append([]string{"-o", "beginning", "-c", "1", "--where", "user=u1"}, flags...)...); !strings.Contains(errs, "but it leaves out the end") {
		t.Error(errs)
	}
	o := tailOptions{partition: -1}
	f := func(start, flags, left string, ranges ...stream.Range) {
		t.Helper()
		o.span = span{start: start}
		got, leftOut := o.span.kcat(ranges, -1)
		if got != flags || strings.Join(leftOut, "") != left {
			t.Errorf("-o %s: %s, %v", start, got, leftOut)
		}
	}
	f("5", " -o 5", "", stream.Range{First: 0, End: 9}, stream.Range{First: 5, End: 5})
	f("5", " -o 5 -X auto.offset.reset=earliest", "", stream.Range{First: 6, End: 9})
	f("5", " -o 5", "", stream.Range{First: 0, End: 2})
	f("5", " -o 5", "partitions that hold nothing before offset 5 any more: give -p", stream.Range{First: 6, End: 9}, stream.Range{First: 0, End: 2})
	f("-5", " -o -5 -X auto.offset.reset=earliest", "", stream.Range{First: 6, End: 9})
	f("-5", " -o -5", "", stream.Range{First: 0, End: 3})
}

// A misspelt topic gets the right name at the end of the message.
func TestAMissingTopicIsToldWithTheOneThatWasMeant(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a topic that never comes")
	}
	brokers := strings.Join(backend.Kafka(t), ",")
	var errs bytes.Buffer
	if status := execute(t.Context(), []string{"tail", "prediction", "--kafka", brokers, "--prefix", backend.Prefix(t)}, io.Discard, &errs); status != 1 || !strings.Contains(errs.String(), "did you mean predictions?") {
		t.Errorf("status %d: %s", status, errs.String())
	}
}
