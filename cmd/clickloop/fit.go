package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/fit"
	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/learner"
	"github.com/clickloop/clickloop/model"
)

const fitExamples = `  clickloop fit examples/bank-marketing --json
  clickloop fit train.csv --label y --positive yes --drop duration --test later.csv
  clickloop fit train.vw --network linear --cross A,B --out model.bin
  clickloop fit iris.csv --label species --output softmax --network linear,mlp
  zcat day2.vw.gz | clickloop fit - --format vw --in model.bin --out model.bin
`

// fitOptions holds the flags of fit.
type fitOptions struct {
	dataOptions
	newModel
	tests       []string // files to predict after learning
	passes      int
	delay       int    // examples between a prediction and its label
	limit       int64  // rows of a recording; 0 for all
	predictions string // file to write
	config      string
	quiet       bool

	// Found on the way: the network that a recording's configuration serves, unless that is the
	// default one, and the model of --in.
	served string
	state  *learner.State
}

// newModel holds the flags for the settings of a new model.
type newModel struct {
	network   string
	cross     []string
	seed      uint64
	tableBits int
	admission int
	expiry    int64
}

// fitCommand learns files or a recording in memory, without Kafka and Redis. It checks flags and
// files before it learns, since a run may last for hours.
func fitCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := fitFlags(args, stderr)
	if err != nil {
		return err
	}
	began := time.Now()
	rec, cfg, err := o.open()
	if err != nil {
		return err
	}
	if err := o.check(rec != nil); err != nil {
		return err
	}
	net, classes, err := o.newNetwork(ctx, cfg.Model, rec != nil)
	if err != nil {
		return err
	}
	if len(o.paths) == 0 { // --in and --test alone
		return o.testAlone(ctx, o.state, began, stdout, stderr)
	}
	if len(classes) > 0 {
		return o.fitClasses(ctx, net, classes, began, stdout, stderr)
	}
	r := fit.NewRun(o.objective, net)
	stop := fitProgress(r, o, rec != nil, stderr)
	result, err := o.learn(ctx, r, rec, cfg)
	stop()
	if err != nil {
		return err
	}
	result.Seconds = time.Since(began).Seconds()
	if o.served != "" {
		result.Model = event.ModelVersion(event.NetworkKey(o.objective, o.served), net.Examples())
		fmt.Fprintf(stderr, "clickloop fit: network %s is learned, with which %s is served\n", o.served, o.objective)
	}
	o.warn(net, result.Examples, result.Skipped, rec, stderr)
	suspects, drop := r.Suspects(), "drop in recording.yaml"
	if rec == nil { // recordings have their own checks
		o.warnLabels(&result, stderr)
		suspects, drop = o.files.Suspects(), "--drop"
	}
	for _, s := range suspects {
		fmt.Fprintf(stderr, "clickloop fit: warning: column %q may be known only after the outcome: %s; if so, leave it out: %s %s\n", s.Name, s.Why, drop, s.Name)
	}
	return o.finish(stdout, &result, func() { printFit(stdout, &result) })
}

// warn reports data without examples, and flags that name columns or fields which no example had.
// Such names are most likely misspelt; without a warning they would silently do nothing.
func (o *fitOptions) warn(net *model.Net, examples, skipped int64, rec *recording.Recording, stderr io.Writer) {
	o.notices(rec, stderr)
	if examples == 0 {
		fmt.Fprintf(stderr, "clickloop fit: warning: nothing was learned: %s has no examples, and %d malformed lines were skipped\n", strings.Join(o.paths, ", "), skipped)
	}
	for _, name := range o.files.Unmet() {
		fmt.Fprintf(stderr, "clickloop fit: warning: --drop names %q, and there is no such column: nothing was left out for it\n", name)
	}
	// only the network knows which fields its examples had: crosses may come from its file
	for _, cross := range net.Config().Cross {
		for _, name := range cross {
			if name != "all" && !net.Knows(model.FieldHash(name)) {
				fmt.Fprintf(stderr, "clickloop fit: warning: --cross %s: no example had a field %q\n", strings.Join(cross, ","), name)
			}
		}
	}
}

// warnLabels reports labels that are all the same. Most likely --positive names a value that the
// data spells differently.
func (o *fitOptions) warnLabels(r *fit.Result, stderr io.Writer) {
	switch {
	case r.Examples == 0:
	case r.Positives == 0 && len(o.files.Positive) > 0:
		fmt.Fprintf(stderr, "clickloop fit: warning: none of %d labels is %s, as --positive says: is it spelt as the data spells it?\n", r.Examples, strings.Join(o.files.Positive, " or "))
	case r.Positives == 0:
		fmt.Fprintf(stderr, "clickloop fit: warning: all of %d labels mean no\n", r.Examples)
	case r.Positives == r.Examples:
		fmt.Fprintf(stderr, "clickloop fit: warning: all of %d labels mean yes\n", r.Examples)
	}
}

// fitFlags parses the flags, and checks those that can be checked alone.
func fitFlags(args []string, stderr io.Writer) (*fitOptions, error) {
	o := &fitOptions{}
	fs := newFlags("fit", "fit RECORDING|FILE... [flags]", fitExamples, stderr)
	fs.StringVar(&o.files.Label, "label", "", "`column` of the label")
	fs.Func("positive", "`value` of the label that means yes; may repeat", commaList(&o.files.Positive))
	fs.Func("drop", "`columns` to leave out, separated by commas; may repeat", commaList(&o.files.Drop))
	fs.StringVar(&o.files.Format, "format", "", "csv, jsonl or vw; found out by default")
	o.reading.declare(fs, &o.files.Encoding)
	fs.Func("test", "`file` to predict after learning, without learning from it; may repeat", func(s string) error { o.tests = append(o.tests, s); return nil })
	fs.StringVar(&o.network, "network", "", "parts of one plain network instead of the default mixture: `linear,ffm,mlp`")
	fs.StringVar(&o.output, "output", "", "`sigmoid` (yes or no), or softmax: the label is one of several classes; needs --network of linear, mlp")
	fs.Func("classes", "values of the label of a softmax, `A,B,C`; may repeat; found in the first 100,000 rows by default", commaList(&o.classes))
	fs.Func("cross", "pair of fields to cross in the linear part, `A,B`, or all; may repeat", func(s string) error { o.cross = append(o.cross, s); return nil })
	fs.Uint64Var(&o.seed, "seed", 1, "of the initial weights")
	fs.IntVar(&o.tableBits, "table-bits", 20, "2^`bits` tokens have records of their own")
	fs.IntVar(&o.admission, "admission", 1, "give a token a record after `n` sightings")
	fs.Int64Var(&o.expiry, "expiry", 0, "and take it away when the token did not come for `n` examples (0: never)")
	fs.IntVar(&o.passes, "passes", 1, "times the files are learned; metrics are of the last pass")
	fs.IntVar(&o.delay, "delay", 0, "learn a label `N` examples after its prediction")
	fs.IntVar(&o.files.Holdout, "holdout", 0, "predict each `N`th example that is read now without learning it, and report those apart")
	fs.StringVar(&o.in, "in", "", "go on from this `model`, with every setting it was made with")
	fs.StringVar(&o.out, "out", "", "write the learned `model` here")
	fs.StringVar(&o.predictions, "predictions", "", "write each prediction and its label to this `file`, those of tests too; .csv and .jsonl get the row's number")
	fs.StringVar(&o.config, "config", "", "configuration `file`")
	fs.StringVar(&o.onError, "on-error", "stop", "what a malformed line does: stop, or skip (counted)")
	fs.StringVar(&o.objective, "objective", "click", "`name` of the objective of bare files")
	fs.BoolVar(&o.json, "json", false, "print one JSON object on standard output")
	fs.BoolVar(&o.quiet, "quiet", false, "no progress")
	fs.Int64Var(&o.limit, "limit", 0, "first `N` rows of a recording only")
	var err error
	if o.paths, err = o.parse(fs, args); err != nil {
		return nil, err
	}
	switch {
	case len(o.paths) == 0 && (o.in == "" || len(o.tests) == 0):
		return nil, misused(stderr, "fit", "name a recording or files; - is standard input; --in MODEL --test FILE alone learns nothing")
	case o.passes < 1 || o.passes > 10_000:
		return nil, fmt.Errorf("--passes is %d, want 1 to 10000", o.passes)
	case o.files.Holdout < 0 || o.files.Holdout == 1:
		return nil, fmt.Errorf("--holdout is %d, want 0 (none) or 2 and more", o.files.Holdout)
	case o.output != "" && o.output != "sigmoid" && o.output != "softmax":
		return nil, fmt.Errorf("--output is %q, want sigmoid or softmax", o.output)
	case o.delay < 0:
		return nil, fmt.Errorf("--delay is %d, want 0 or more examples", o.delay)
	}
	return o, o.apply()
}

// open opens the recording, if the path names one, and the configuration.
func (o *fitOptions) open() (*recording.Recording, config.Config, error) {
	if len(o.paths) == 0 || !isRecording(o.paths[0]) {
		cfg, err := config.Load(o.config)
		return nil, cfg, err
	}
	if len(o.paths) > 1 {
		return nil, config.Config{}, errors.New("one recording at a time")
	}
	rec, err := recording.Open(o.paths[0])
	if err != nil {
		return nil, config.Config{}, err
	}
	o.objective = rec.Objective().Name
	cfg, err := config.LoadBeside(cmp.Or(o.config, rec.ConfigFile()), config.Recorded{Name: rec.Name(), Objective: rec.Objective(), Shown: rec.Shown()})
	if err != nil {
		return nil, cfg, err
	}
	rec.Adopt(cfg.Objective(o.objective))
	// the loop evaluates the predictions of the served network, so fit learns that one
	completed := rec.Objective()
	if name := completed.ServedNetwork(); name != event.DefaultNetwork {
		cfg.Model, o.served = cfg.Networks[name], name
	}
	return rec, cfg, nil
}

// isRecording tells a recording, which is a folder or a YAML file, from a file of examples.
func isRecording(path string) bool {
	info, err := os.Stat(path)
	return err == nil && (info.IsDir() || strings.HasSuffix(path, ".yaml"))
}

// newNetwork reads the model of --in, or makes a network from the configuration and the flags. It
// also returns the class names of a softmax.
func (o *fitOptions) newNetwork(ctx context.Context, c model.Config, recorded bool) (*model.Net, []string, error) {
	if o.network != "" {
		c.Network = strings.Split(o.network, ",")
	}
	for _, cross := range o.cross {
		c.Cross = append(c.Cross, strings.Split(cross, ","))
	}
	setIf(o.given["seed"], &c.Seed, o.seed)
	setIf(o.given["table-bits"], &c.TableBits, o.tableBits)
	setIf(o.given["admission"], &c.Admission, o.admission)
	setIf(o.given["expiry"], &c.Expiry, o.expiry)
	if o.in == "" { // a new model
		classes, err := o.newClasses(ctx, &c, recorded)
		if err != nil {
			return nil, nil, err
		}
		if err := c.Validate(); err != nil {
			return nil, nil, err
		}
		net, err := model.New(c)
		return net, classes, err
	}
	state, err := o.readModel(recorded)
	if err != nil {
		return nil, nil, err
	}
	o.state = state
	net := state.Net()
	// a saved model brings its settings: flags may repeat them and must not contradict them
	made := net.Config()
	if made.Output == "softmax" {
		c.Output, c.Classes = made.Output, made.Classes // they have their own checks
	}
	if err := o.contradiction(c, made); err != nil {
		return nil, nil, err
	}
	classes, err := o.oldClasses(made, o.about.Classes, recorded)
	return net, classes, err
}

// learn learns the files or the recording, and writes the file of --predictions on the way.
func (o *fitOptions) learn(ctx context.Context, r *fit.Run, rec *recording.Recording, cfg config.Config) (result fit.Result, err error) {
	out, err := o.newPredictions(nil)
	if err != nil {
		return result, err
	}
	defer func() { err = cmp.Or(err, out.end()) }()
	if out != nil {
		one := fit.Prediction{Labeled: true, P: make([]float64, 1)} // reused: no garbage per example
		r.Observe(func(at fit.Place, p, y float64) error {
			one.Place, one.P[0], one.Y = at, p, y
			return out.write(&one)
		})
	}
	result, skipped, tests, err := learn(ctx, o, r, nil, func() (int64, error) {
		if rec != nil {
			return 0, r.Recording(ctx, rec, cfg.Features, o.limit)
		}
		return r.Learn(ctx, &o.files, o.paths, o.delay)
	})
	result.Skipped, result.Test = skipped, tests
	return result, err
}

// trainable is a fit.Run or a fit.ClassRun, with results R and results T of tests.
type trainable[R, T any] interface {
	Again()
	Net() *model.Net
	Result() R
	Test(context.Context, *fit.Files, string) (T, error)
}

// learn calls pass for each of --passes, saves the model, and evaluates it on each file of --test.
// It also returns how many lines the last pass skipped.
func learn[R, T any](ctx context.Context, o *fitOptions, r trainable[R, T], classes []string, pass func() (int64, error)) (result R, skipped int64, tests []T, err error) {
	for n := range o.passes {
		if n > 0 {
			r.Again()
		}
		if skipped, err = pass(); err != nil {
			return result, skipped, nil, err
		}
	}
	result, err = r.Result(), o.save(r.Net(), classes)
	for i := 0; i < len(o.tests) && err == nil; i++ {
		var test T
		test, err = r.Test(ctx, &o.files, o.tests[i])
		tests = append(tests, test)
	}
	return result, skipped, tests, err
}

// fitProgress shows rows, rows a second and the remaining time. It shows them on a terminal only: a
// log would fill with lines. The caller calls stop.
func fitProgress(r interface{ Rows() int64 }, o *fitOptions, recorded bool, w io.Writer) (stop func()) {
	if o.quiet || !isTerminal(w) {
		return func() {}
	}
	total, began := o.totalBytes(), time.Now()
	end := every(500*time.Millisecond, func() {
		seconds := time.Since(began).Seconds()
		line := fmt.Sprintf("%d rows, %.0f rows/s", r.Rows(), float64(r.Rows())/seconds)
		if read := o.files.Bytes(); !recorded && read > 0 && total >= read {
			line = fmt.Sprintf("%s %s, %.0f s left", bar(read, total), line, seconds*float64(total-read)/float64(read))
		}
		fmt.Fprintf(w, "\r\033[K%s", line)
	})
	return func() {
		end()
		fmt.Fprint(w, "\r\033[K")
	}
}

// totalBytes returns the bytes that all passes read, or 0 when a file is no plain one. Standard
// input has no known size.
func (o *fitOptions) totalBytes() int64 {
	var total int64
	for _, path := range o.paths {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		total += info.Size()
	}
	return total * int64(o.passes)
}
