package tail

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
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

// oddTopic is of a foreign program: filters know none of its names.
const oddTopic = "odd"

// tailed is a topic of two partitions, with nulls, odd bytes and headers.
func tailed(t *testing.T) *source {
	t.Helper()
	brokers, prefix := backend.Kafka(t), backend.Prefix(t)
	client, err := stream.Dial(stream.Config{Brokers: brokers, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	// records are of a fixed day
	if err := client.EnsureTopics(t.Context(), stream.Topic{Name: oddTopic, Partitions: 2, Retention: 100 * 365 * 24 * time.Hour}); err != nil {
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
	if err := client.Produce(t.Context(), oddTopic, records); err != nil {
		t.Fatal(err)
	}
	return &source{client, brokers, prefix, oddTopic}
}

// source is a Kafka with topics to tail.
type source struct {
	*stream.Client
	brokers []string
	prefix  string
	topic   string // that is read unless a flag says another
}

// click and conversion are the objectives of the tests.
var objectives = []event.Objective{{Name: "click", Trigger: event.TypeImpression}, {Name: "conversion", Trigger: event.TriggerPrediction}}

// options makes Options of the flags of the command.
func (s *source) options(t *testing.T, args ...string) *Options {
	t.Helper()
	o := &Options{Topic: s.topic, Partition: -1, Objectives: objectives, Brokers: s.brokers}
	for i := 0; i < len(args); i++ {
		value := func() string { i++; return args[i] }
		var err error
		switch args[i] {
		case "-o":
			err = o.Span.Set(value())
		case "-p":
			o.Partition, err = strconv.Atoi(value())
		case "-c":
			o.Count, err = strconv.ParseInt(value(), 10, 64)
		case "-e":
			o.Exit = true
		case "-J":
			o.Envelope = true
		case "-f":
			o.Format = value()
		case "--join":
			o.Join = true
		case "--topic":
			o.Topic = value()
		default:
			o.Where = append(o.Where, args[i])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// tail is what a tail prints on standard output and error.
func (s *source) tail(t *testing.T, args ...string) (out, errs string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var stdout, stderr bytes.Buffer
	if err := Run(ctx, s.Client, s.options(t, args...), &stdout, &stderr); err != nil {
		t.Fatalf("tail %v: %v: %s", args, err, stderr.String())
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
	source := tailed(t)
	f := func(want []int, args ...string) {
		t.Helper()
		out, _ := source.tail(t, append([]string{"-e"}, args...)...)
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
	f(between(36, 40, 1), "-o", "-4", "row >= 36")
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
	f([]int{31, 37}, "-o", "beginning", "-p", "1", "p.click > .7", `user == "u1"`, "-c", "2")
	f([]int{5}, "-o", "beginning", `big == "9007199254740998"`)
	f(between(0, 40, 1), "-o", "beginning", `context.a.b == "<é&>"`)
}

func TestTheEnvelopeOfATombstone(t *testing.T) {
	f := func(r stream.Record, want string) {
		t.Helper()
		var out bytes.Buffer
		p := &printer{w: bufio.NewWriter(&out), options: &Options{Envelope: true}, topic: "t"}
		if err := p.print(&r, r.Value); err != nil {
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
	source := tailed(t)
	if out, _ := source.tail(t, "-o", "beginning", "-c", "5"); strings.Count(out, "\n") != 5 {
		t.Errorf("-c 5 gave %q", out)
	}
}

func TestTheEnvelopeTellsNullFromEmpty(t *testing.T) {
	source := tailed(t)
	out, _ := source.tail(t, "-J", "-e", "-o", "beginning")
	for _, want := range []string{
		`"partition":0,"offset":20,"tstype":"create","ts":1790000040000,"headers":["a","1","b","2"],"key":null,"payload":"no JSON {"}`,
		`"headers":["schema","prediction/1"],"key":"k0","payload":"{\"id\":\"p0\"`, `<é&>`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is not in\n%s", want, out)
		}
	}
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
	source := tailed(t)
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
		out, errs := source.tail(t, args...)
		line := printedKcat(t, errs)
		if strings.Contains(errs, "leaves out") {
			t.Errorf("%v: %s", args, errs)
		}
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
	tombstone := exec.Command("kcat", "-P", "-b", source.brokers[0], "-t", source.prefix+oddTopic, "-p", "1", "-K", "=", "-Z")
	tombstone.Stdin = strings.NewReader("gone=\n")
	if out, err := tombstone.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, _ := source.tail(t, "-e", "-o", "-1", "-p", "1", "-J"); !strings.HasSuffix(out, `"key":"gone","payload":null}`+"\n") {
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
	f("-e", "-o", "beginning", "p.click > 0.5", `user == "u1"`)
	f("-e", "-o", "beginning", "p.click > 0.5", "-J")
	f("-e", "-o", "beginning", `user != "u1"`, "-p", "0", "-c", "3")
	f("-e", "-o", "beginning", `context.a.b == "<é&>"`)
	f("-e", "-o", "beginning", `p.click > 0.5 and user in ["u1", "u2"] or row < 3`, `context.price == 1.5`)
	f("-e", "-o", "beginning", `header.schema == "prediction/1" and record.offset >= 5 and record.partition == 1 and record.key != "k7"`)
	f("-e", "-o", "beginning", fmt.Sprintf(`record.time_ms >= %d or header.b == "2"`, at(30).UnixMilli()), "-J")
	f("-e", "-o", "beginning", `record.key == nil`, "-f", `%o %k|%K %s %S %T %t %p %h\n`)
	f("-e", "-o", "beginning", `row > 3`, "-f", `%o %k|%K %S %T %t\t%p %h%%\x41\n`, "-c", "7", "-p", "1")
	for _, format := range []string{
		`%s\n`, `%t [%p] at offset %o: key %k: %s\n`, `%T %K %S %h\n`, `%k\t%s\r\n`, `100%% %o\n`, `\x41\x7e%o\n`, `%o\101\65\n`, `%o\q\\\n`, `%R%s\n`, `plain\n`, `%o\x4a1|\n`, `%o\t\n`, `é%o→\n`,
	} {
		f("-e", "-o", "beginning", "-f", format)
	}
}

func TestTailSaysWhatKcatLeavesOut(t *testing.T) {
	source := tailed(t)
	if _, errs := source.tail(t, "-e", "-f", `%o\0%k\n`); !strings.Contains(errs, "but it leaves out what stands behind a zero byte of -f") {
		t.Error(errs)
	}
	if _, errs := source.tail(t, "-e", `big == "9007199254740993"`); !strings.Contains(errs, "but it leaves out whole numbers beyond 2^53, which jq rounds") {
		t.Error(errs)
	}
	if _, errs := source.tail(t, "-e", "-f", `%R`, "row > 1"); !strings.Contains(errs, "but it leaves out -f, of which jq cannot print bytes") {
		t.Error(errs)
	}
	if _, errs := source.tail(t, "-o", "beginning", "-c", "1", `user == "u1"`); !strings.Contains(errs, "but it leaves out the end") {
		t.Error(errs)
	}
	o := Options{Partition: -1}
	f := func(start, flags, left string, ranges ...stream.Range) {
		t.Helper()
		o.Span = Span{start: start}
		got, leftOut := o.Span.kcat(ranges, -1)
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
