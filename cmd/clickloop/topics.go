package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/stream"
)

const topicsExamples = `  clickloop topics --config operator.yaml    as a user who may create topics; stages then need no such right
`

// topicsCommand creates all topics that are missing, and checks the others.
func topicsCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := newFlags("topics", "topics [flags]", topicsExamples, stderr)
	common := config.CommonFlags(fs)
	if err := parseFlags(fs, args, "", stderr); err != nil {
		return err
	}
	cfg, err := loadRunning(common, stderr)
	if err != nil {
		return err
	}
	client, err := dialKafka(ctx, cfg.Kafka, "clickloop-topics", newLogger(stderr, false))
	if err != nil {
		return err
	}
	defer client.Close()
	var topics []stream.Topic
	for _, t := range cfg.Topics() {
		topics = append(topics, stream.Topic(t))
	}
	var made []string
	err = within(ctx, time.Minute, func(ctx context.Context) error {
		made, err = client.MakeTopics(ctx, topics...)
		return err
	})
	for _, t := range topics {
		if slices.Contains(made, t.Name) {
			fmt.Fprintf(stdout, "made    %s%s (partitions: %d)\n", cfg.Kafka.Prefix, t.Name, t.Partitions)
		} else if err == nil {
			fmt.Fprintf(stdout, "exists  %s%s\n", cfg.Kafka.Prefix, t.Name)
		}
	}
	return err
}
