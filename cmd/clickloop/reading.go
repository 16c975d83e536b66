package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/clickloop/clickloop/app/fit"
	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/internal/modelfile"
	"github.com/clickloop/clickloop/learner"
)

// dataOptions holds the flags that fit and predict share: a model, files, and how they are read.
type dataOptions struct {
	files     fit.Files
	paths     []string
	in, out   string          // files of a model and of the output
	about     modelfile.About // from the file in
	objective string
	output    string   // of a new model; predict has no such flag
	classes   []string // likewise
	reading   reading
	onError   string
	json      bool
	given     map[string]bool // flags by name
}

// parse parses args, and returns the positional ones.
func (o *dataOptions) parse(fs *flag.FlagSet, args []string) ([]string, error) {
	paths, err := parse(fs, args)
	o.given = map[string]bool{}
	fs.Visit(func(f *flag.Flag) { o.given[f.Name] = true })
	return paths, err
}

// apply checks the flags for reading, and applies them to o.files.
func (o *dataOptions) apply() error {
	if o.onError != "stop" && o.onError != "skip" {
		return fmt.Errorf("--on-error is %q, want stop or skip", o.onError)
	}
	o.files.SkipBad = o.onError == "skip"
	return o.reading.columns(&o.files)
}

// reading holds the columns that flags name, by how they are read.
type reading map[table.Reading][]string

// readings are the flags that say how columns are read. Each has the name of its reading.
var readings = []struct {
	as    table.Reading
	usage string
}{
	{table.Texts, "`columns` of texts, whose words are read beside them; may repeat; found out by default"},
	{table.Tokens, "`columns` that are taken as they are written; may repeat"},
	{table.Numbers, "`columns` whose numbers are numbers, such as 007 and 1E3; may repeat"},
	{table.Dates, "`columns` of dates, whose hour, weekday, month and day are read beside them; may repeat"},
}

// declare declares the flags for the encoding of text and the reading of columns.
func (r *reading) declare(fs *flag.FlagSet, encoding *string) {
	*r = reading{}
	fs.StringVar(encoding, "encoding", "", "`name` of the text's encoding, such as windows-1251; UTF-8 by default")
	for _, f := range readings {
		fs.Func(string(f.as), f.usage, func(s string) error { (*r)[f.as] = append((*r)[f.as], strings.Split(s, ",")...); return nil })
	}
}

// commaList returns the function of a flag whose values are lists. The flag may repeat.
func commaList(target *[]string) func(string) error {
	return func(s string) error { *target = append(*target, strings.Split(s, ",")...); return nil }
}

// columns applies the flags to f.
func (r reading) columns(f *fit.Files) error {
	if _, err := table.CheckEncoding(f.Encoding); f.Encoding != "" && err != nil {
		return fmt.Errorf("--encoding: %w", err)
	}
	f.Columns = table.NewColumns()
	f.Columns.Raw(f.Label)
	f.Columns.Raw(f.Drop...)
	for _, flag := range readings {
		if err := f.Columns.Set(flag.as, r[flag.as]...); err != nil {
			return fmt.Errorf("--%s: %w", flag.as, err)
		}
	}
	return nil
}

// restore makes f read files as they were read for the model. A flag overrides the model's label;
// the reading of the columns is part of the model.
func restore(f *fit.Files, about *modelfile.About) error {
	f.Label = cmp.Or(f.Label, about.Label)
	setIf(len(f.Positive) == 0, &f.Positive, about.Positive)
	f.Left = about.Drop
	f.Columns.Raw(f.Label)
	f.Columns.Raw(f.Left...)
	for _, c := range about.Columns {
		if err := f.Columns.Restore(c.Name, table.Reading(c.Read), c.Form); err != nil {
			return err
		}
	}
	return nil
}

// readModel reads the model of --in: a file written by fit, or a learner's checkpoint.
func (o *dataOptions) readModel(recorded bool) (*learner.State, error) {
	state, err := learner.ReadState(o.in)
	if err != nil {
		return nil, fmt.Errorf("cannot read the model: %w", err)
	}
	o.about = state.About()
	if state.Objective() != "" && !o.given["objective"] && !recorded {
		o.objective = state.Objective()
	}
	if recorded {
		return state, nil
	}
	if err := restore(&o.files, &o.about); err != nil {
		return nil, fmt.Errorf("model %s: %w", o.in, err)
	}
	return state, nil
}

// notices reports how columns are read where no flag says so, and flags that name columns which do
// not exist.
func (o *dataOptions) notices(rec *recording.Recording, stderr io.Writer) {
	var lines []string
	if rec != nil {
		lines = rec.Notices()
	} else if o.files.Columns != nil {
		lines = o.files.Columns.Notices()
		for _, c := range o.files.Columns.List() {
			if c.Given && !c.Met {
				lines = append(lines, fmt.Sprintf("warning: --%s names %q, and there is no such column", c.Reading, c.Name))
			}
		}
	}
	printNotices("fit", lines, stderr)
}

// printNotices prints what a command has to say about its data, apart from its output.
func printNotices(command string, lines []string, stderr io.Writer) {
	for _, line := range lines {
		fmt.Fprintf(stderr, "clickloop %s: %s\n", command, line)
	}
}

// describe names a model in messages.
func describe(path string, state *learner.State) string {
	if state.Objective() == "" {
		return fmt.Sprintf("model %s, of fit, of %d examples", path, state.Net().Examples())
	}
	network := cmp.Or(state.Network(), "default")
	return fmt.Sprintf("model %s, a learner's checkpoint of objective %s and network %s, of %d examples", path, state.Objective(), network, state.Net().Examples())
}
