package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/settings"
)

// Load reads the file at path over the defaults and checks it. An empty path gives the defaults.
func Load(path string) (Config, error) {
	return whole(load(path, nil))
}

// whole settles the configuration of a file alone.
func whole(c Config, file *settings.File, err error) (Config, error) {
	if err != nil {
		return c, err
	}
	if err = c.settle(file); err != nil && file != nil {
		err = file.Locate(err)
	}
	return c, err
}

// settle finishes the configuration once file, variables and flags have been read: what they give
// together is used, and addresses hold no secret any more. file may be nil.
func (c *Config) settle(file *settings.File) (err error) {
	c.setApart()
	c.Redis, err = c.Redis.Settle(func(setting string) bool { return file != nil && file.Has("redis."+setting) })
	return field.Within("redis", err)
}

// completion completes the objectives of a file before they are checked. The file then has no
// default objectives; with a nil completion it has them.
type completion func(*Config) error

// load reads the file at path, if any. It returns no File for an empty path.
func load(path string, complete completion) (Config, *settings.File, error) {
	if path == "" {
		c := Default()
		if complete != nil {
			c.Objectives = nil
			return c, nil, complete(&c)
		}
		return c, nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return Default(), nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	return read(path, b, complete)
}

// Parse reads a configuration's text over the defaults and checks it. Errors call it name.
func Parse(name string, b []byte) (Config, error) {
	return whole(read(name, b, nil))
}

// read decodes a file's text over the defaults, completes it, and checks it. The order matters: a
// recording completes objectives before priors are derived from them, and only the result is
// checked.
func read(name string, b []byte, complete completion) (Config, *settings.File, error) {
	c := Default()
	if complete != nil {
		c.Objectives = nil
	}
	file, problems, err := settings.Read(name, b, &c)
	if err != nil {
		return c, nil, err
	}
	if len(problems) > 0 {
		for _, p := range problems {
			if p.Kind {
				p.Reason += c.allowed(p.Field)
			}
		}
		return c, nil, file.Error(problems)
	}
	if path := c.Bidding.Campaigns; path != "" && !filepath.IsAbs(path) && path == strings.TrimSpace(path) {
		c.Bidding.Campaigns = filepath.Join(filepath.Dir(name), path) // it lies beside this file
	}
	if complete != nil {
		err = complete(&c)
	}
	if err == nil {
		err = c.settlePriors(file.Has)
	}
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return c, nil, file.Locate(err)
	}
	return c, file, nil
}

// allowed returns the values that Validate allows at path, as the end of a sentence about a value
// of the wrong kind. The decoder has replaced that value by one that Validate always refuses, so
// Validate's own error lists them.
func (c *Config) allowed(path string) string {
	var wrong *field.Error
	if err := c.Validate(); !errors.As(err, &wrong) || wrong.Field != path {
		return ""
	}
	for _, before := range []string{", want ", "; expected "} {
		if _, allowed, ok := strings.Cut(wrong.Reason, before); ok {
			return "; allowed: " + allowed
		}
	}
	return ""
}

// setApart has the facts of features.shown act apart from other fields in every network.
func (c *Config) setApart() {
	with := func(names []string) []string {
		names = slices.Clone(names) // the default's are nobody's own
		for _, s := range c.Features.Shown {
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
		return names
	}
	c.Model.Apart = with(c.Model.Apart)
	for name, m := range c.Networks {
		m.Apart = with(m.Apart)
		c.Networks[name] = m
	}
}
