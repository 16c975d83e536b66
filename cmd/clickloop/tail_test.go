package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

func TestWrongFlagsOfTailAreRefused(t *testing.T) {
	brokers, prefix := backend.Kafka(t), backend.Prefix(t)
	client, err := stream.Dial(stream.Config{Brokers: brokers, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.EnsureTopics(t.Context(), stream.Topic{Name: event.TopicPredictions, Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	f := func(status int, want string, args ...string) {
		t.Helper()
		var errs bytes.Buffer
		args = append(append([]string{"tail"}, args...), "--kafka", strings.Join(brokers, ","), "--prefix", prefix)
		if got := execute(t.Context(), args, io.Discard, &errs); got != status || !strings.Contains(errs.String(), want) {
			t.Errorf("%v: status %d, %s; want %d, %s", args, got, errs.String(), status, want)
		}
	}
	f(2, "name one topic")
	f(2, "perhaps one condition in quotes", "predictions", "user", "==", `"u1"`)
	f(2, "stored is where a consumer group goes on", "predictions", "-o", "stored")
	f(2, "want beginning, end, -N", "predictions", "-o", "start")
	f(2, "want beginning, end, -N", "predictions", "-o", "")
	f(2, "want beginning, end, -N", "predictions", "-o", "+5")
	f(2, "want beginning, end, -N", "predictions", "-o", "99999999999999999999")
	f(2, "want RFC 3339", "predictions", "-o", "@yesterday")
	f(2, "want RFC 3339", "predictions", "-o", "e@")
	f(2, "want RFC 3339", "predictions", "-o", "s@-5")
	f(2, "another -o says where to begin", "predictions", "-o", "5", "-o", "end")
	f(2, "another -o says where to stop", "predictions", "-o", "e@5", "-o", "e@6")
	f(1, "is not after", "predictions", "-o", "s@5000", "-o", "e@5000")
	f(1, "-p is -2", "predictions", "-p", "-2")
	f(1, "-p is 2, but topic", "predictions", "-p", "2")
	f(1, "-c is -1", "predictions", "-c", "-1")
	f(1, "single quotes", "predictions", "p.click")
	f(1, `write user == "u1"`, "predictions", "--where", "user=u1")
	f(1, "-J and -f are two forms", "predictions", "-J", "-f", "%s")
	f(1, "-f has %z: want %s message", "predictions", "-f", "%z")
	f(1, "-f ends with %", "predictions", "-f", "%s%")
	f(1, `\x without hexadecimal digits`, "predictions", "-f", `\xyz`)
	f(1, "--join shows predictions with their outcomes: the topic is events", "events", "--join")
	f(1, "--join needs the objectives", "predictions", "--join")
	f(1, `--color is "sometimes", want always, never or auto`, "predictions", "--color", "sometimes")
	f(0, "", "predictions", "-e", `p.anything > 1`) // of an address alone the objectives are not known
}

// A misspelt topic gets the right name at the end of the message.
func TestAMissingTopicIsToldWithTheOneThatWasMeant(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a topic that never comes")
	}
	brokers := strings.Join(backend.Kafka(t), ",")
	var errs bytes.Buffer
	if status := execute(t.Context(), []string{"tail", "prediction", "--kafka", brokers, "--prefix", backend.Prefix(t)}, io.Discard, &errs); status != 1 || !strings.Contains(errs.String(), "did you mean predictions?") {
		t.Errorf("status %d: %s", status, errs.String())
	}
}

// Colors are for a terminal, unless NO_COLOR is set; a flag decides before either.
func TestColorsAreForTerminals(t *testing.T) {
	f := func(noColor, when string, want bool) {
		t.Helper()
		t.Setenv("NO_COLOR", noColor)
		if got, err := colored(when, os.Stdin); got != want || err != nil {
			t.Errorf("NO_COLOR=%s --color=%s: %v, %v", noColor, when, got, err)
		}
	}
	f("", "always", true)
	f("1", "always", true)
	f("", "never", false)
	if got, err := colored("auto", &bytes.Buffer{}); got || err != nil {
		t.Errorf("a buffer is no terminal: %v", err)
	}
}
