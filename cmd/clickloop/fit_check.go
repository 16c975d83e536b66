package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/model"
)

// check refuses flags and files that would fail, or have no effect, only after hours of learning.
func (o *fitOptions) check(recorded bool) error {
	if err := o.checkFlags(recorded); err != nil {
		return err
	}
	data, again := o.tests, 0
	if !recorded {
		data = append(slices.Clone(o.paths), o.tests...)
		if o.passes > 1 {
			again = len(o.paths)
		}
	}
	if err := checkInputs(data, again); err != nil {
		return err
	}
	// may be the file of --in: the new model replaces it
	if err := checkWritable("--out", o.out, append(data, o.predictions)); err != nil {
		return err
	}
	return checkWritable("--predictions", o.predictions, append(data, o.in, o.out))
}

// checkFlags refuses flags that would have no effect.
func (o *fitOptions) checkFlags(recorded bool) error {
	var idle []string
	for _, name := range []string{"delay", "holdout", "label", "positive", "drop", "format", "on-error", "limit"} {
		ofFiles := name != "limit"
		ofTests := name != "limit" && name != "delay" && name != "holdout" && len(o.tests) > 0
		if o.given[name] && ofFiles == recorded && !ofTests {
			idle = append(idle, "--"+name)
		}
	}
	switch {
	case len(idle) == 0 || o.output == "softmax" && recorded: // another check refuses that
		return nil
	case recorded:
		return fmt.Errorf("%s is of files, and %s is a recording, whose %s says what its labels are and when they come: leave it out", strings.Join(idle, ", "), o.paths[0], recording.File)
	}
	return fmt.Errorf("--limit is of recordings: give fewer rows of files, such as by head -n %d FILE | clickloop fit -", o.limit)
}

// checkInputs makes sure that files of examples can be read, and the first ones of them repeatedly.
func checkInputs(paths []string, again int) error {
	piped := false
	for i, path := range paths {
		if path == "-" && piped {
			return errors.New("- is named twice, and standard input can be read only once")
		}
		piped = piped || path == "-"
		if err := checkReadable(path, i < again); err != nil {
			return err
		}
	}
	return nil
}

// checkReadable makes sure that a file of examples exists. With again it must be a plain file,
// since a pipe can be read only once.
func checkReadable(path string, again bool) error {
	regular := false
	if path != "-" {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return fmt.Errorf("cannot read examples: %w", err)
		case info.IsDir():
			return fmt.Errorf("cannot read examples: %s is a folder, want a file", path)
		}
		// to open a pipe would wait for its writer
		if regular = info.Mode().IsRegular(); regular {
			f, err := os.Open(path)
			if err != nil {
				return fmt.Errorf("cannot read examples: %w", err)
			}
			_ = f.Close()
		}
	}
	if again && !regular {
		return fmt.Errorf("%s can be read only once, and --passes needs it again: write it to a file first", path)
	}
	return nil
}

// checkWritable makes sure that a file can be written, and that it is none of the others under any
// name.
func checkWritable(flag, path string, others []string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s %s is a folder, want the name of a file", flag, path)
	case err == nil && !info.Mode().IsRegular():
		return nil
	}
	for _, other := range others {
		if other == "" {
			continue
		}
		was, e := os.Stat(other)
		if filepath.Clean(other) == filepath.Clean(path) || err == nil && e == nil && os.SameFile(info, was) {
			return fmt.Errorf("%s %s would be written over %s: choose another name", flag, path, other)
		}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".clickloop-")
	if err != nil {
		return fmt.Errorf("cannot write %s %s: %w", flag, path, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// settingFlags holds the flags of settings by the settings' names.
var settingFlags = map[string]string{
	"network": "network", "cross": "cross", "seed": "seed", "table_bits": "table-bits", "admission": "admission", "expiry": "expiry",
}

// contradiction refuses a setting that differs from the model's, since a model goes on with the
// settings it was made with. A setting counts as given when a flag gives it, or when the file of
// --config gives it another value than the default. The settings of a recording's own file never
// count: they are for new models.
func (o *fitOptions) contradiction(given, made model.Config) error {
	chosen := given.Differences(model.DefaultConfig())
	for _, d := range given.Differences(made) {
		wanted, has := cmp.Or(d.From, "none"), cmp.Or(d.To, "none")
		sameName := func(c model.Difference) bool { return c.Name == d.Name }
		// what auto, its default, stands for depends on other settings
		kind := d.Name == "calibration.kind" && given.Calibration.Kind != "auto"
		switch flag := settingFlags[d.Name]; {
		case o.given[flag]:
			return fmt.Errorf("--%s makes %s %s, and model %s was made with %s: leave the flag out", flag, d.Name, wanted, o.in, has)
		case o.given["config"] && (kind || slices.ContainsFunc(chosen, sameName)):
			return fmt.Errorf("the configuration has model.%s %s, and model %s was made with %s: leave the setting out", d.Name, wanted, o.in, has)
		}
	}
	return nil
}
