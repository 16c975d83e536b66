package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/app/running"
	"github.com/clickloop/clickloop/app/tail"
	"github.com/clickloop/clickloop/internal/settings"
	"github.com/clickloop/clickloop/stream"
)

// errNoBrokers is returned when neither a setting nor a running `clickloop up` gives Kafka brokers.
var errNoBrokers = errors.New("no Kafka brokers are given, and no `clickloop up` is running here: set kafka.brokers, --kafka host:port or CLICKLOOP_KAFKA")

// loadRunning is Load for commands that inspect a system. Where no setting gives brokers, they
// inspect the `clickloop up` that runs on this machine. Its addresses, prefix and objectives then
// replace the settings that nobody gave.
func loadRunning(common *config.Common, stderr io.Writer) (config.Config, error) {
	cfg, err := common.Load()
	if err != nil || len(cfg.Kafka.Brokers) > 0 {
		return cfg, err
	}
	up, err := findUp(cfg.Data)
	if err != nil {
		return cfg, err
	}
	useUp(&cfg, common, up)
	fmt.Fprintf(stderr, "of the running %s\n", describeUp(up))
	return cfg, nil
}

// findUp finds the `clickloop up` that runs with a data folder, or the only one.
func findUp(data string) (*running.Up, error) {
	all := running.All()
	if data != "" {
		if up := running.In(data); up != nil {
			return up, nil
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("%w; the data folder %s has none", errNoBrokers, data)
		}
		return nil, fmt.Errorf("no Kafka brokers are given, and no `clickloop up` runs with the data folder %s; there %s", data, listUps(all))
	}
	switch len(all) {
	case 0:
		return nil, errNoBrokers
	case 1:
		return &all[0], nil
	}
	return nil, fmt.Errorf("no Kafka brokers are given, and %d `clickloop up` are running: name one by --data or --kafka; there %s", len(all), listUps(all))
}

// upAt finds the `clickloop up` that runs with these brokers.
func upAt(brokers []string) *running.Up {
	for _, up := range running.All() {
		if slices.Equal(up.Kafka, brokers) {
			return &up
		}
	}
	return nil
}

// listUps names the running processes in an error, so that the reader can pick one.
func listUps(all []running.Up) string {
	texts := make([]string, len(all))
	for i := range all {
		texts[i] = describeUp(&all[i])
	}
	return "is " + strings.Join(texts, ", and ")
}

// describeUp names a process by the flags that address it.
func describeUp(up *running.Up) string {
	data := ""
	if up.Data != "" {
		data = " --data " + tail.ShellQuote(up.Data)
	}
	return fmt.Sprintf("`clickloop up%s` (process %d, --kafka %s)", data, up.PID, strings.Join(up.Kafka, ","))
}

// useUp completes cfg: a setting that no file, variable or flag gives is taken from up.
func useUp(cfg *config.Config, common *config.Common, up *running.Up) {
	setIf(len(cfg.Kafka.Brokers) == 0, &cfg.Kafka.Brokers, up.Kafka)
	setIf(cfg.Redis.Address == "", &cfg.Redis.Address, up.Redis)
	setIf(!common.Given("kafka.prefix"), &cfg.Kafka.Prefix, up.Prefix)
	setIf(!common.Given("kafka.partitions"), &cfg.Kafka.Partitions, up.Partitions)
	setIf(!common.Given("objectives") && len(up.Objectives) > 0, &cfg.Objectives, up.Objectives)
	setIf(!common.Given("http"), &cfg.HTTP, up.HTTP)
	setIf(!common.Given("admin"), &cfg.Admin, up.Admin)
	setIf(!common.Given("data"), &cfg.Data, up.Data)
}

// setIf sets a setting to value on a condition.
func setIf[T any](condition bool, setting *T, value T) {
	if condition {
		*setting = value
	}
}

// urlOf returns the URL of a port.
func urlOf(address string, secure bool) string {
	if secure {
		return "https://" + address
	}
	return "http://" + address
}

// announce writes the file by which other commands find l.
func announce(l *run.Loop, cfg *config.Config) (*running.Announcement, error) {
	data := cfg.Data
	if data != "" {
		var err error
		if data, err = filepath.Abs(data); err != nil {
			return nil, err
		}
	}
	return running.Announce(running.Up{
		PID: os.Getpid(), Started: time.Now().UTC().Truncate(time.Millisecond), HTTP: l.HTTP, Admin: l.Admin, HTTPS: cfg.HTTPS.Enabled(), AdminHTTPS: cfg.AdminHTTPS.Enabled(), Kafka: l.Kafka, Redis: settings.Redact(l.Redis), Prefix: cfg.Kafka.Prefix, Data: data,
		EmbeddedKafka: len(cfg.Kafka.Brokers) == 0, EmbeddedRedis: cfg.Redis.Address == "", Partitions: cfg.Kafka.Partitions, Objectives: cfg.Objectives,
	})
}

// dialKafka connects a tool, and returns an error at once when Kafka does not let it in or denies
// what it needs. A broker that does not answer yet may do so later.
func dialKafka(ctx context.Context, kafka config.Kafka, clientID string, logger *slog.Logger, needs ...stream.Need) (*stream.Client, error) {
	client, err := kafka.Dial(clientID, logger, nil)
	if err != nil {
		return nil, err
	}
	var denied *stream.AccessError
	err = within(ctx, 5*time.Second, func(ctx context.Context) error { return client.CheckAccess(ctx, needs...) })
	if errors.As(err, &denied) {
		return nil, errors.Join(err, client.Close())
	}
	return client, nil
}
