package main

import (
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

// reading holds the flags that say how columns are read.
type reading struct {
	names map[table.Reading][]string
}

// readingFlags declares the flags for the encoding of text and the reading of columns.
func readingFlags(fs *flag.FlagSet, encoding *string, r *reading) {
	r.names = map[table.Reading][]string{}
	list := func(as table.Reading) func(string) error {
		return func(s string) error { r.names[as] = append(r.names[as], strings.Split(s, ",")...); return nil }
	}
	fs.StringVar(encoding, "encoding", "", "`name` of the text's encoding, such as windows-1251; UTF-8 by default")
	fs.Func("text", "`columns` of texts, whose words are read beside them; may repeat; found out by default", list(table.Texts))
	fs.Func("token", "`columns` that are taken as they are written; may repeat", list(table.Tokens))
	fs.Func("number", "`columns` whose numbers are numbers, such as 007 and 1E3; may repeat", list(table.Numbers))
	fs.Func("date", "`columns` of dates, whose hour, weekday, month and day are read beside them; may repeat", list(table.Dates))
}

// columns applies the flags to f.
func (r *reading) columns(f *fit.Files) error {
	if _, err := table.CheckEncoding(f.Encoding); f.Encoding != "" && err != nil {
		return fmt.Errorf("--encoding: %w", err)
	}
	f.Columns = table.NewColumns()
	f.Columns.Raw(f.Label)
	f.Columns.Raw(f.Drop...)
	for _, as := range []table.Reading{table.Texts, table.Tokens, table.Numbers, table.Dates} {
		if err := f.Columns.Set(as, r.names[as]...); err != nil {
			return fmt.Errorf("--%s: %w", as, err)
		}
	}
	return nil
}

// restore makes f read files as the model's were read.
func restore(f *fit.Files, about *modelfile.About) error {
	if f.Label == "" {
		f.Label = about.Label
	}
	if len(f.Positive) == 0 {
		f.Positive = about.Positive
	}
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
func (o *fitOptions) readModel(recorded bool) (*learner.State, error) {
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

// notices reports how columns are read that no flag names, and named columns that do not exist.
func (o *fitOptions) notices(rec *recording.Recording, stderr io.Writer) {
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
	network := state.Network()
	if network == "" {
		network = "default"
	}
	return fmt.Sprintf("model %s, a learner's checkpoint of objective %s and network %s, of %d examples", path, state.Objective(), network, state.Net().Examples())
}
