package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
	"github.com/twmb/franz-go/pkg/kgo"
)

// doctor says what is wrong with topics that work until something comes that they do not take, or
// somebody waits.
func TestDoctorNamesTopicsThatHoldRecordsBack(t *testing.T) {
	kafka, prefix := backend.Kafka(t), backend.Prefix(t)
	client, err := stream.Dial(stream.Config{Brokers: kafka, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	cfg := config.Default()
	for _, o := range event.Topics(cfg.Objectives, cfg.Kafka.Partitions, cfg.Scorer.Items.Catalogues...) {
		if err := client.EnsureTopics(t.Context(), stream.Topic{Name: o.Name, Partitions: o.Partitions, Retention: o.Retention}); err != nil {
			t.Fatal(err)
		}
	}
	examples := event.TopicExamples(cfg.Objectives[0].Name)
	file := t.TempDir() + "/clickloop.yaml"
	spool := func(dir string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("scorer: {spool: "+dir+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	good := t.TempDir() + "/spool"
	spool(good)
	doctor := func() string {
		t.Helper()
		var out, errs bytes.Buffer
		args := []string{"doctor", "--config", file, "--kafka", strings.Join(kafka, ","), "--redis", backend.Redis(t), "--prefix", prefix}
		execute(t.Context(), args, &out, &errs)
		return out.String()
	}
	if text := doctor(); strings.Contains(text, "max.message.bytes") || strings.Contains(text, "transaction") || strings.Contains(text, "partitions") {
		t.Fatalf("doctor finds faults in good topics:\n%s", text)
	} else if !strings.Contains(text, "ok     spool "+good) {
		t.Errorf("doctor does not say that the spool is good:\n%s", text)
	}
	spool(file + "/spool")
	if text, want := doctor(), "WRONG  spool "+file+"/spool"; !strings.Contains(text, want) {
		t.Errorf("doctor does not say %q:\n%s", want, text)
	}
	spool(good)
	backend.AlterTopic(t, kafka[0], prefix+event.TopicPredictions, "max.message.bytes", "5000")
	backend.AddPartitions(t, kafka[0], prefix+examples, 2)
	k, err := kgo.NewClient(kgo.SeedBrokers(kafka...), kgo.TransactionalID(prefix+"x"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if err := k.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := k.ProduceSync(t.Context(), &kgo.Record{Topic: prefix + event.TopicEvents, Partition: 1, Value: []byte("{}")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	text := doctor()
	for _, want := range []string{
		"topic " + prefix + event.TopicPredictions + ": max.message.bytes is 5000, want at least",
		"--entity-name " + prefix + event.TopicPredictions + " --add-config max.message.bytes=",
		"ok     topic " + prefix + examples + " (it has 2 partitions, of which 0 alone is used",
		"reading " + prefix + event.TopicEvents + ": partition 1: a transaction is open since offset 0 and holds back 1 records",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("doctor does not say %q:\n%s", want, text)
		}
	}
	if err := client.Produce(t.Context(), examples, []stream.Record{{Partition: 1, Value: []byte("lost")}}); err != nil {
		t.Fatal(err)
	}
	if text, want := doctor(), "topic "+prefix+examples+": partitions is 2, want 1: its order is that of partition 0"; !strings.Contains(text, want) {
		t.Errorf("doctor does not say %q:\n%s", want, text)
	}
	if err := k.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
}
