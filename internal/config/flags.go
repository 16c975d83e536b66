package config

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Common are the flags that most commands share.
type Common struct {
	File, Kafka, Redis, Prefix, HTTP, Data string
	ServeBits                              string

	set *flag.FlagSet
}

// CommonFlags declares them on fs. Each has a CLICKLOOP_* variable of its name, such as CLICKLOOP_KAFKA.
func CommonFlags(fs *flag.FlagSet) *Common {
	c := &Common{set: fs}
	fs.StringVar(&c.File, "config", "", "configuration `file` (YAML); without one the defaults serve")
	fs.StringVar(&c.Kafka, "kafka", "", "Kafka `brokers`, host:port,...")
	fs.StringVar(&c.Redis, "redis", "", "Redis `address`, host:port or redis:// URL")
	fs.StringVar(&c.Prefix, "prefix", "", "before every topic and group `name` (default clickloop.)")
	fs.StringVar(&c.HTTP, "http", "", "`address` to listen on (default 127.0.0.1:8080; port 0: any free one)")
	fs.StringVar(&c.Data, "data", "", "`folder` for checkpoints and the embedded services (default: a temporary one)")
	fs.StringVar(&c.ServeBits, "serve-bits", "", "`bits` of a weight on the wire and in scorers, 32 or 16 (default 32)")
	return c
}

// Load reads the file and lays variables and flags over it.
func (c *Common) Load() (Config, error) {
	c.environment()
	cfg, err := Load(c.File)
	if err != nil {
		return cfg, err
	}
	return c.over(cfg)
}

// LoadOver is Load with another file, such as a recording's own, when the flags name none.
func (c *Common) LoadOver(file string) (Config, error) { return c.loadOver(file, nil) }

func (c *Common) loadOver(file string, complete func(*Config) error) (Config, error) {
	c.environment()
	if c.File != "" {
		file = c.File
	}
	cfg, err := load(file, complete)
	if err != nil {
		return cfg, err
	}
	return c.over(cfg)
}

// environment fills flags that were not given from their variables.
func (c *Common) environment() {
	given := map[string]bool{}
	c.set.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, target := range map[string]*string{"config": &c.File, "kafka": &c.Kafka, "redis": &c.Redis, "prefix": &c.Prefix, "http": &c.HTTP, "data": &c.Data, "serve-bits": &c.ServeBits} {
		if v, ok := os.LookupEnv("CLICKLOOP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))); ok && !given[name] {
			*target = v
		}
	}
}

func (c *Common) over(cfg Config) (Config, error) {
	if c.Kafka != "" {
		cfg.Kafka.Brokers = strings.Split(c.Kafka, ",")
	}
	if c.ServeBits != "" {
		bits, err := strconv.Atoi(c.ServeBits)
		if err != nil {
			return cfg, fmt.Errorf("--serve-bits is %q, want 32 or 16", c.ServeBits)
		}
		cfg.Learner.ServeBits = bits
	}
	for value, target := range map[*string]*string{&c.Redis: &cfg.Redis.Address, &c.Prefix: &cfg.Kafka.Prefix, &c.HTTP: &cfg.HTTP, &c.Data: &cfg.Data} {
		if *value != "" {
			*target = *value
		}
	}
	return cfg, cfg.Validate()
}
