package dashboard

import "github.com/clickloop/clickloop/internal/field"

// Config is the section dashboard of the configuration.
type Config struct {
	// serve the dashboard at / of the admin port of `up` and `clickloop dashboard`
	Enabled bool `yaml:"enabled"`
	// streams of its state that may be open at once; more get 503
	MaxClients int `yaml:"max_clients"`
	// newest records of evaluations that are read when somebody begins to watch
	History int `yaml:"history"`
	// bytes of evaluations that are kept for charts; the oldest points of segments leave first
	MaxBytes int `yaml:"max_bytes"`
}

// DefaultConfig is the configuration of an empty file.
func DefaultConfig() Config {
	return Config{Enabled: true, MaxClients: 64, History: 200_000, MaxBytes: 32 << 20}
}

// Validate returns a *field.Error about the first setting that is wrong.
func (c *Config) Validate() error {
	switch {
	case c.MaxClients < 1 || c.MaxClients > 200:
		return field.Wrong("max_clients", "is %d, want 1 to 200 (the admin port has 256 connections)", c.MaxClients)
	case c.History < 1000 || c.History > 10_000_000:
		return field.Wrong("history", "is %d, want 1000 to 10000000 records", c.History)
	case c.MaxBytes < 1<<20 || c.MaxBytes > 1<<30:
		return field.Wrong("max_bytes", "is %d, want 1048576 to 1073741824 (1 MiB to 1 GiB)", c.MaxBytes)
	}
	return nil
}
