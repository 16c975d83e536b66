package feedback

import (
	"context"
	"errors"
	"log/slog"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/tracing"
	"github.com/clickloop/clickloop/stream"
)

// task is what the labeler, the evaluator and the reviser of an objective share.
type task struct {
	objective event.Objective
	kind      *objective.Kind
	shown     *features.Shown // facts that only the trigger's event knows; nil: none
	client    *stream.Client
	outcomes  *outcomes
	letters   *deadletter.Writer
	tracer    *tracing.Tracer // nil: no traces
	logger    *slog.Logger
	batch     int             // examples written at once
	headers   []stream.Header // of examples
}

// writeExamples writes records to the objective's topic of examples. A record that is larger than
// the topic takes would block its partition for ever. So it becomes a dead letter, which letter
// makes and whose reason is completed here; all other records are written. buried is the number of
// such letters.
func (t *task) writeExamples(ctx context.Context, what string, records []stream.Record, letter func(i int) deadletter.Letter) (buried int, err error) {
	err = t.client.Produce(ctx, event.TopicExamples(t.objective.Name), records)
	var large *stream.TooLargeError
	if !errors.As(err, &large) {
		return 0, err
	}
	letters := make([]deadletter.Letter, 0, len(large.Records))
	for _, i := range large.Records {
		l := letter(i)
		l.Reason += large.Error()
		letters = append(letters, l)
	}
	t.logger.Error(what+" were not written: they are larger than their topic takes", "count", len(letters), "err", large)
	return len(letters), t.letters.Write(ctx, letters...)
}
