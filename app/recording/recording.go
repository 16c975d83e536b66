// Package recording reads recorded data as score requests and the events that followed them, for
// replays of the loop and for fit.
//
// A recording is a folder with a recording.yaml beside its data. Every id is made of the
// recording's name and the row's number. Reading the data again therefore gives the same ids, and a
// row that is sent twice changes nothing.
package recording

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/settings"
	"github.com/goccy/go-yaml"
)

// Recording is an opened recording.yaml. Each iteration over it reads the data from the start.
type Recording struct {
	dir   string
	start event.Time
	cfg   spec
	count int64 // of rows; 0 before Count

	columns atomic.Pointer[table.Columns] // of the latest iteration
}

// spec is recording.yaml.
type spec struct {
	Name string `yaml:"name"` // of the recording, in ids; the folder's by default
	// beside recording.yaml, read in this order; .gz is unpacked
	Files     []string `yaml:"files"`
	Format    string   `yaml:"format"`    // csv (any separator, with a header), jsonl or vw
	Separator string   `yaml:"separator"` // of csv; found out by default
	Label     string   `yaml:"label"`     // column
	Positive  texts    `yaml:"positive"`  // values of the label that mean yes
	Drop      []string `yaml:"drop"`      // columns that are not given to the scorer
	// of the files, such as windows-1251; UTF-8 by default
	Encoding string `yaml:"encoding"`
	// columns whose words are read beside the whole; the others as they look
	Text  []string `yaml:"text"`
	Token []string `yaml:"token"` // columns that are taken as they are written
	// columns whose numbers are numbers, also 007 and 1E3
	Number    []string      `yaml:"number"`
	Date      []string      `yaml:"date"`     // columns whose calendar parts are read beside them
	User      string        `yaml:"user"`     // column
	Ad        string        `yaml:"ad"`       // a constant, or "column:NAME"
	Campaign  string        `yaml:"campaign"` // a constant, or "column:NAME"
	Time      string        `yaml:"time"`     // column in RFC 3339 or alike; else start and every
	Start     string        `yaml:"start"`    // RFC 3339
	Every     time.Duration `yaml:"every"`    // recorded time between rows
	Tick      time.Duration `yaml:"tick"`     // of lockstep
	Objective event.Objective
	Events    []eventSpec `yaml:"events"`
	// columns that are known only once the ad is shown: the trigger's event carries them as
	// properties, and the scorer is not given them
	Shown []string `yaml:"shown"`
}

// eventSpec is an event that follows a row.
type eventSpec struct {
	Type    string        `yaml:"type"`
	When    string        `yaml:"when"` // positive or always
	Delay   time.Duration `yaml:"delay"`
	Context []string      `yaml:"context"` // columns that it carries, for profiles of context.NAME
	Value   string        `yaml:"value"`   // column
}

// texts is one text or several.
type texts []string

// UnmarshalYAML accepts a scalar or a list. The scalars true and 1 are the texts "true" and "1".
func (t *texts) UnmarshalYAML(b []byte) error {
	var one any
	if err := yaml.Unmarshal(b, &one); err != nil {
		return err
	}
	list, ok := one.([]any)
	if !ok {
		list = []any{one}
	}
	*t = make(texts, len(list))
	for i, v := range list {
		(*t)[i] = fmt.Sprint(v)
	}
	return nil
}

// File is the name of the file that describes a recording.
const File = "recording.yaml"

// Open reads the recording.yaml at path, or in the folder at path.
func Open(path string) (*Recording, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, File)
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s: a recording is a folder with %s beside its data, such as examples/bank-marketing", path, File)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the recording: %w", err)
	}
	r := &Recording{dir: filepath.Dir(path)}
	file, problems, err := settings.Read(path, b, &r.cfg)
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, file.Error(problems)
	}
	if err := r.fillDefaults(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$`)

// fillDefaults sets the settings that recording.yaml leaves out.
func (r *Recording) fillDefaults() error {
	c := &r.cfg
	if c.Name == "" {
		abs, err := filepath.Abs(r.dir)
		if err != nil {
			return err
		}
		c.Name = filepath.Base(abs)
	}
	c.Objective.Name = cmp.Or(c.Objective.Name, "click")
	c.Objective.Trigger = cmp.Or(c.Objective.Trigger, event.TriggerPrediction)
	if c.Objective.Positive == "" {
		for _, e := range c.Events {
			if e.When == "positive" {
				c.Objective.Positive = e.Type
			}
		}
	}
	c.Ad = cmp.Or(c.Ad, c.Name)
	c.Tick = cmp.Or(c.Tick, time.Second)
	c.Every = cmp.Or(c.Every, time.Second)
	c.Encoding = cmp.Or(c.Encoding, "utf-8")
	c.Start = cmp.Or(c.Start, "2020-01-01T00:00:00Z")
	return nil
}

// check returns an error that names the first wrong setting.
func (r *Recording) check() error {
	c := &r.cfg
	switch {
	case !nameForm.MatchString(c.Name):
		return fmt.Errorf("name is %q, want up to 64 letters, digits, ., - or _", c.Name)
	case len(c.Files) == 0:
		return errors.New("files is empty, want the data's file names")
	case c.Format != "csv" && c.Format != "jsonl" && c.Format != "vw":
		return fmt.Errorf("format is %q, want csv, jsonl or vw", c.Format)
	case c.Label == "" && c.Format != "vw":
		return errors.New("label is empty, want the name of the label's column")
	case len(c.Positive) == 0 && c.Format != "vw":
		return errors.New("positive is empty, want the label's value that means yes")
	case c.Objective.Window <= 0:
		return fmt.Errorf("objective.window is %v, want a duration above 0, such as 30s", c.Objective.Window)
	case c.Objective.Positive == "":
		return errors.New("objective.positive is empty, want the type of an event, or an event with `when: positive`")
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"tick", c.Tick}, {"every", c.Every}, {"objective.window", c.Objective.Window}} {
		// recorded time is in milliseconds: a shorter tick would never end
		if d.value < time.Millisecond || d.value%time.Millisecond != 0 {
			return fmt.Errorf("%s is %v, want whole milliseconds, 1ms or more", d.field, d.value)
		}
	}
	for i, e := range c.Events {
		if e.Type == "" || e.When != "positive" && e.When != "always" || e.Delay < 0 {
			return fmt.Errorf("events[%d] is {type: %q, when: %q, delay: %v}, want a type, when positive or always, and a delay of 0 or more", i, e.Type, e.When, e.Delay)
		}
	}
	if err := c.checkShown(); err != nil {
		return err
	}
	if _, err := table.CheckEncoding(c.Encoding); err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	if _, err := r.newColumns(); err != nil {
		return err
	}
	if c.Time == "" {
		start, err := event.ParseTime(c.Start)
		if err != nil {
			return fmt.Errorf("start is %q, want RFC 3339, such as 2008-05-05T08:00:00Z", c.Start)
		}
		r.start = start
	}
	return nil
}

// Name returns the recording's name, with which its ids begin.
func (r *Recording) Name() string { return r.cfg.Name }

// Objective returns the objective of the recording's labels.
func (r *Recording) Objective() event.Objective { return r.cfg.Objective }

// Adopt replaces the objective by o, which a configuration has completed.
func (r *Recording) Adopt(o event.Objective) { r.cfg.Objective = o }

// Tick returns the length of a tick of lockstep in recorded time.
func (r *Recording) Tick() time.Duration { return r.cfg.Tick }

// ConfigFile returns the path of the clickloop.yaml beside the recording, or "".
func (r *Recording) ConfigFile() string {
	path := filepath.Join(r.dir, "clickloop.yaml")
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// Count returns the number of rows. The first call reads the data. It returns 0 if that fails.
func (r *Recording) Count() int64 {
	if r.count == 0 {
		for _, err := range r.Rows() {
			if err != nil {
				return 0
			}
			r.count++
		}
	}
	return r.count
}
