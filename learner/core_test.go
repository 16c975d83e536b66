package learner

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// smallModel is a network that learns fast.
func smallModel() model.Config {
	c := model.DefaultConfig()
	c.TableBits, c.MaxFields, c.Network = 10, 8, []string{"linear", "ffm", "mlp"}
	return c
}

// exampleOf is the n-th example of a stream, from 0.
func exampleOf(seed uint64, n int64) event.Example {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	e := event.Example{
		Objective: "click", Prediction: fmt.Sprint("p", n), Time: 1764061200000 + event.Time(n), W: 1, Y: float64(rng.IntN(2)),
		Source: event.Source{Topic: "aaaaaaaa", Partition: int32(n % 3), Offset: n / 3},
	}
	for _, name := range []string{"device", "site", "hour"} {
		e.Features = append(e.Features, event.Field{Name: name, Value: event.Value{Kind: event.String, Str: strconv.Itoa(rng.IntN(20))}})
	}
	e.Features = append(e.Features, event.Field{Name: "price", Value: event.Value{Kind: event.Number, Num: rng.Float64()}})
	return e
}

// recordsOf are examples [from, to) as they stand in the topic.
func recordsOf(seed uint64, from, to int64) []stream.Record {
	var records []stream.Record
	for n := from; n < to; n++ {
		e := exampleOf(seed, n)
		records = append(records, stream.Record{Offset: n, Key: []byte(e.Prediction), Value: e.AppendJSON(nil), Time: time.UnixMilli(int64(e.Time))})
	}
	return records
}

func newCore(t testing.TB) *core {
	t.Helper()
	net, err := model.New(smallModel())
	if err != nil {
		t.Fatal(err)
	}
	return &core{net: net, at: position{Objective: "click", TopicID: "bbbbbbbb"}, resumed: -1}
}

func batchOf(records []stream.Record, end int64) *batch {
	b, d := &batch{}, decoder{objective: "click"}
	d.decode(b, records, end)
	return b
}

// take learns records and counts what became of them.
func take(c *core, records []stream.Record) (counts [verdicts]int) {
	result, err := c.learn(batchOf(records, 0))
	if err != nil {
		panic(err)
	}
	return result.counts
}

func TestWhatIsReadTwiceIsLearnedOnce(t *testing.T) {
	once, twice := newCore(t), newCore(t)
	take(once, recordsOf(1, 0, 300))
	take(twice, recordsOf(1, 0, 200))
	if counts := take(twice, recordsOf(1, 100, 300)); counts != [verdicts]int{learned: 100, repeated: 100} {
		t.Errorf("counts %v", counts)
	}
	if once.net.Hash() != twice.net.Hash() || twice.at.Next != 300 {
		t.Errorf("weights differ, or position %d is not 300", twice.at.Next)
	}
}

func TestPoisonedExamplesAreRefusedAndChangeNothing(t *testing.T) {
	f := func(value, reason string) {
		t.Helper()
		c, clean := newCore(t), newCore(t)
		take(c, recordsOf(1, 0, 50))
		take(clean, recordsOf(1, 0, 50))
		records := recordsOf(1, 50, 60)
		records[4] = stream.Record{Offset: 54, Key: []byte("k"), Value: []byte(value)}
		b := batchOf(records, 60)
		take(clean, slices.Delete(recordsOf(1, 50, 60), 4, 5))
		result, err := c.learn(b)
		if err != nil || result.counts != [verdicts]int{learned: 9, refused: 1} || !strings.Contains(result.refused[0].err.Error(), reason) {
			t.Errorf("%s: %+v, %v; want nine learned and one refused with %q", value, result, err, reason)
			return
		}
		if r := b.record(result.refused[0].example); string(r.Value) != value || string(r.Key) != "k" || r.Offset != 54 {
			t.Errorf("%s: the original reads %+v", value, r)
		}
		if c.net.Hash() != clean.net.Hash() || c.at.Next != 60 {
			t.Errorf("%s: the weights changed, or position %d is not 60", value, c.at.Next)
		}
	}
	good := exampleOf(1, 54)
	text := string(good.AppendJSON(nil))
	f(``, "JSON")
	f(`{"objective":"click"`, "JSON")
	f(strings.Replace(text, `"y":`, `"y":NaN,"z":`, 1), "JSON")
	f(strings.Replace(text, `"w":1`, `"w":1e400`, 1), "w")
	f(strings.Replace(text, `"w":1`, `"w":null`, 1), "w")
	f(strings.Replace(text, `"click"`, `"conversion"`, 1), `the topic is of "click"`)
	f(strings.Replace(text, `"y":`, `"y":2,"z":`, 1), "y is 2, expected 0 or 1")
	f(strings.Replace(text, `"y":`, `"y":0.3,"z":`, 1), "y is 0.3, expected 0 or 1")
	f(strings.Replace(text, `"y":`, `"y":-1,"z":`, 1), "y is -1, expected 0 or 1")
	f(strings.Replace(text, `"w":1`, `"w":1e7`, 1), "w is 1e+07, expected a weight of at most 1e6")
	f(strings.Replace(text, `"w":1`, `"w":-1e7`, 1), "w is -1e+07, expected a weight")
	f("\xff\xfe", "")
}

func TestACheckpointGoesOnBitForBit(t *testing.T) {
	c := newCore(t)
	take(c, recordsOf(1, 0, 123))
	b := bytesOf(t, c, 7)
	take(c, recordsOf(1, 123, 300))

	p, net, err := decodeCheckpoint(b)
	if err != nil {
		t.Fatal(err)
	}
	if p.Next != 123 || p.Epoch != 7 || p.Objective != "click" || p.TopicID != "bbbbbbbb" || len(p.Marks) != 3 || len(net.Config().Differences(smallModel())) > 0 {
		t.Errorf("position %+v", p)
	}
	resumed := &core{}
	resumed.restore(p, net)
	take(resumed, recordsOf(1, 100, 300))
	if !bytes.Equal(bytesOf(t, c, 7), bytesOf(t, resumed, 7)) {
		t.Error("the resumed learner has other bytes")
	}
}

func bytesOf(t testing.TB, c *core, epoch int64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := writeCheckpoint(&b, c.position(epoch), c.net); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func filling(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

func TestADamagedCheckpointIsNeverTaken(t *testing.T) {
	c := newCore(t)
	take(c, recordsOf(1, 0, 50))
	whole := bytesOf(t, c, 1)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		b := bytes.Clone(whole)
		b[rng.IntN(len(b))] ^= byte(1 + rng.IntN(255))
		if rng.IntN(2) == 0 {
			b = whole[:rng.IntN(len(whole))]
		}
		if _, _, err := decodeCheckpoint(b); err == nil {
			t.Fatal("a damaged checkpoint was taken")
		}
	}
}

func TestATornCheckpointFallsBackToTheOneBefore(t *testing.T) {
	dir := t.TempDir()
	f, err := newFiles(osDisk{}, dir, "click")
	if err != nil {
		t.Fatal(err)
	}
	c := newCore(t)
	for i := range int64(3) {
		take(c, recordsOf(1, i*10, i*10+10))
		if err := f.write(filling(bytesOf(t, c, 1))); err != nil {
			t.Fatal(err)
		}
	}
	check := func(examples int64, from string, problems int) {
		t.Helper()
		found, problem := f.read()
		got := int64(-1)
		if found.net != nil {
			got = found.net.Examples()
		}
		if got != examples || found.path != from || len(problem) != problems {
			t.Errorf("read %d examples from %q with problems %v, want %d from %q and %d problems", got, found.path, problem, examples, from, problems)
		}
	}
	check(30, f.newest, 0)
	if err := os.Truncate(f.newest, 1000); err != nil {
		t.Fatal(err)
	}
	check(20, f.previous, 1)
	if err := os.Truncate(f.previous, 0); err != nil {
		t.Fatal(err)
	}
	check(-1, "", 2)
}

// The limit on the size of files that stands for a full disk holds for the whole process, and go
// test writes a log of its own. So the test runs itself in a process without one.
func TestAFullDiskCostsNoCheckpoint(t *testing.T) {
	const inside = "TEST_WITH_A_FULL_DISK"
	if os.Getenv(inside) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAFullDiskCostsNoCheckpoint$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS")) && !bytes.Contains(out, []byte("--- SKIP")) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	f, err := newFiles(osDisk{}, dir, "click")
	if err != nil {
		t.Fatal(err)
	}
	c := newCore(t)
	take(c, recordsOf(1, 0, 10))
	if err := f.write(filling(bytesOf(t, c, 1))); err != nil {
		t.Fatal(err)
	}
	l := newLearning(testOwner(f), c, 1, nil)
	l.checkpoints.saved = 10
	take(c, recordsOf(1, 10, 20))
	// A limit on the size of files is what a test can have of a full disk.
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Skip(err)
	}
	limit := before
	limit.Cur = 100
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Skip(err)
	}
	err = l.saveLast()
	if restored := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); restored != nil {
		t.Fatal(restored)
	}
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("a write beyond the limit gave %v", err)
	}
	if found, problems := f.read(); found.net == nil || found.net.Examples() != 10 || len(problems) > 0 {
		t.Errorf("after a failed write: %+v, %v", found.position, problems)
	}
	if err := l.saveLast(); err != nil {
		t.Fatal(err)
	}
	if found, _ := f.read(); found.net == nil || found.net.Examples() != 20 {
		t.Errorf("after the disk has room again: %+v", found.position)
	}
}

func TestEpochsRiseWithTermAndGeneration(t *testing.T) {
	f := func(highest int64, generation int32, want int64) {
		t.Helper()
		if got := epochAfter(highest, generation); got != want {
			t.Errorf("after %d in generation %d: %d, want %d", highest, generation, got, want)
		}
	}
	f(0, 1, 1_000_001)
	f(1_000_001, 2, 2_000_002)
	f(1_000_001, 1, 2_000_001)
	f(41_000_977, 3_000_005, 42_000_005)
}

func TestADivergedNetworkIsNotUsedAgain(t *testing.T) {
	config := smallModel()
	config.Network, config.Numbers, config.Output, config.Loss = []string{"linear"}, "raw", "identity", "mse"
	config.Linear.Optimizer = model.Optimizer{Kind: "sgd", Rate: 1000}
	net, err := model.New(config)
	if err != nil {
		t.Fatal(err)
	}
	c := &core{net: net, resumed: -1}
	if _, err := c.learn(batchOf(recordsOf(1, 0, 200), 200)); !errors.Is(err, model.ErrDiverged) || !strings.Contains(err.Error(), "offset") {
		t.Errorf("learning with an absurd rate gave %v", err)
	}
}
