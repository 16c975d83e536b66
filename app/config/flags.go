package config

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/settings"
)

// Common holds the flags that most commands share.
type Common struct {
	File, Kafka, Redis, Prefix, HTTP, Admin, Data string
	ServeBits, InsecurePublic                     string

	// Of the last Load: by setting, the flag or variable that gave it, such as --kafka or
	// CLICKLOOP_KAFKA.
	from   map[string]string
	inFile *settings.File // nil without a file
}

// variablePrefix begins the name of every variable; its flag's name follows.
const variablePrefix = "CLICKLOOP_"

// option is one of the common flags.
type option struct {
	flag, setting string
	value         *string
	usage         string
}

// options returns the common flags with the settings that they override.
func (c *Common) options() []option {
	return []option{
		{"config", "", &c.File, "configuration `file` (YAML); without one the defaults serve"},
		{"kafka", "kafka.brokers", &c.Kafka, "Kafka `brokers`, host:port,..."},
		{"redis", "redis.address", &c.Redis, "Redis `address`, host:port or redis:// URL"},
		{"prefix", "kafka.prefix", &c.Prefix, "before every topic and group `name` (default clickloop.)"},
		{"http", "http", &c.HTTP, "`address` of the public port (default 127.0.0.1:8080; port 0: any free one)"},
		{"admin", "admin", &c.Admin, "`address` of the admin port (default 127.0.0.1:8081; port 0: any free one)"},
		{"insecure-public", "insecure_public", &c.InsecurePublic, "let the public port take events and requests without a key where it is not on loopback"},
		{"data", "data", &c.Data, "`folder` for checkpoints and the embedded services (default: a temporary one)"},
		{"serve-bits", "learner.serve_bits", &c.ServeBits, "`bits` of a weight on the wire and in scorers, 32 or 16 (default 32)"},
	}
}

// variable returns the name of the flag's environment variable.
func (o option) variable() string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(o.flag, "-", "_"))
}

// CommonFlags declares the common flags on fs. Each has a variable, such as CLICKLOOP_KAFKA.
func CommonFlags(fs *flag.FlagSet) *Common {
	c := &Common{}
	for _, o := range c.options() {
		switch o.value {
		case &c.InsecurePublic:
			fs.Var((*boolean)(o.value), o.flag, o.usage)
		case &c.File:
			fs.Var((*once)(o.value), o.flag, o.usage)
		default:
			fs.StringVar(o.value, o.flag, "", o.usage)
		}
	}
	return c
}

// boolean is the text of a flag that needs no value. Its variable has one, so over checks both.
type boolean string

func (b *boolean) String() string     { return "" }
func (b *boolean) Set(s string) error { *b = boolean(s); return nil }
func (b *boolean) IsBoolFlag() bool   { return true }

// once is the text of a flag of which a second one would silently drop the first.
type once string

func (o *once) String() string { return string(*o) }

func (o *once) Set(s string) error {
	if *o != "" && string(*o) != s {
		return fmt.Errorf("%s is given already; put both files' sections into one", *o)
	}
	*o = once(s)
	return nil
}

// Load reads the file and overrides it by variables and flags.
func (c *Common) Load() (Config, error) { return c.loadOver("", nil) }

// loadOver is Load with file, such as a recording's own, when the flags name none.
func (c *Common) loadOver(file string, complete completion) (Config, error) {
	if err := c.environment(); err != nil {
		return Default(), err
	}
	cfg, inFile, err := load(cmp.Or(c.File, file), complete)
	if err != nil {
		if source := c.from["config"]; source != "" && errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%s: %w", source, err)
		}
		return cfg, err
	}
	c.inFile = inFile
	return c.over(cfg)
}

// Given tells whether a file, variable or flag gives a setting, such as kafka.prefix.
func (c *Common) Given(setting string) bool {
	return c.from[setting] != "" || c.inFile != nil && c.inFile.Has(setting)
}

// environment fills flags that the command line leaves out from variables, and records where each
// setting comes from. An empty flag or variable counts as missing. A variable that is almost one
// of ours is an error: it would be ignored silently.
func (c *Common) environment() error {
	c.from = map[string]string{}
	known := []string{"CLICKLOOP_KAFKA_PASSWORD", features.RedisPassword, SignKeyVariable}
	for _, o := range c.options() {
		known = append(known, o.variable())
		setting := cmp.Or(o.setting, o.flag)
		if *o.value != "" {
			c.from[setting] = "--" + o.flag
		} else if v := os.Getenv(o.variable()); v != "" {
			*o.value, c.from[setting] = v, o.variable()
		}
	}
	if os.Getenv(features.RedisPassword) != "" {
		c.from["redis.password"] = features.RedisPassword
	}
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		bare, ours := strings.CutPrefix(name, variablePrefix)
		if !ours || slices.Contains(known, name) || len(bare) > 20 {
			continue
		}
		for _, k := range known {
			near := strings.TrimPrefix(k, variablePrefix)
			// A variable with more words has another origin: Kubernetes sets CLICKLOOP_REDIS_PORT
			// for a service named clickloop-redis.
			if strings.Count(bare, "_") <= strings.Count(near, "_") && event.Nearest(bare, []string{near}) != "" {
				return fmt.Errorf("the variable %s means nothing, did you mean %s?", name, k)
			}
		}
	}
	return nil
}

// over overrides cfg by flags and variables, and checks the result.
func (c *Common) over(cfg Config) (Config, error) {
	if c.Kafka != "" {
		cfg.Kafka.Brokers = nil
		for b := range strings.SplitSeq(c.Kafka, ",") {
			cfg.Kafka.Brokers = append(cfg.Kafka.Brokers, strings.TrimSpace(b))
		}
	}
	if c.ServeBits != "" {
		bits, err := strconv.Atoi(c.ServeBits)
		if err != nil {
			return cfg, fmt.Errorf("%s is %q, want 32 or 16", c.from["learner.serve_bits"], c.ServeBits)
		}
		cfg.Learner.ServeBits = bits
	}
	cfg.Redis.Password = settings.NewSecret(os.Getenv(features.RedisPassword))
	if c.InsecurePublic != "" {
		insecure, err := strconv.ParseBool(c.InsecurePublic)
		if err != nil {
			return cfg, fmt.Errorf("%s is %q, want true or false", c.from["insecure_public"], c.InsecurePublic)
		}
		cfg.InsecurePublic = insecure
	}
	for value, target := range map[*string]*string{&c.Redis: &cfg.Redis.Address, &c.Prefix: &cfg.Kafka.Prefix, &c.HTTP: &cfg.HTTP, &c.Admin: &cfg.Admin, &c.Data: &cfg.Data} {
		if *value != "" {
			*target = *value
		}
	}
	if cfg.Feedback.SignKey != "" && secretsOfVariable() != "" {
		return cfg, c.inFile.Locate(field.Wrong("feedback.sign_key", "is %q, and %s is set too: want one of them, or nobody knows which signs", cfg.Feedback.SignKey, SignKeyVariable))
	}
	if err := c.named(cfg.Validate()); err != nil {
		return cfg, err
	}
	return cfg, c.named(cfg.settle(c.inFile))
}

// named puts the flag or variable that gave a wrong setting before its error.
func (c *Common) named(err error) error {
	var wrong *field.Error
	if !errors.As(err, &wrong) {
		return err
	}
	setting, _, _ := strings.Cut(wrong.Field, "[")
	if source := c.from[setting]; source != "" {
		return fmt.Errorf("%s: %w", source, err)
	}
	if c.inFile != nil && c.inFile.Has(wrong.Field) {
		return c.inFile.Locate(err)
	}
	return err
}
