package learner

import (
	"context"
	"errors"
	"strconv"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// generations is how many generations of the group an epoch tells apart.
const generations = 1_000_000

// epochAfter is the epoch of a learner that found highest in the topic and owns the objective in a generation of its group: a term above, so that it
// outranks all that were before, and within the term the generation, so that of two that started at the same moment the one that owns the objective
// now outranks the one that is deposed and does not know it yet.
func epochAfter(highest int64, generation int32) int64 {
	return (highest/generations+1)*generations + int64(generation)%generations
}

// epochLook is how many records back from the end the highest epoch is searched: a deposed learner's last words may stand behind its
// successor's first.
const epochLook = 256

// highestEpoch returns the highest epoch in an objective's topic of weights, 0 when it is empty.
func highestEpoch(ctx context.Context, client *stream.Client, objective string) (int64, error) {
	topic := event.TopicModel(objective)
	ranges, err := client.Offsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	first, end := max(ranges[0].First, ranges[0].End-epochLook), ranges[0].End
	if first >= end {
		return 0, nil
	}
	r := client.NewReader(topic, 0, first)
	defer r.Close()
	highest := int64(0)
	for r.Offset() < end {
		records, err := r.Read(ctx)
		if err != nil && !errors.Is(err, stream.ErrTrimmed) {
			return 0, err
		}
		for i := range records {
			highest = max(highest, epochOf(records[i].Headers))
		}
	}
	return highest, nil
}

func epochOf(headers []stream.Header) int64 {
	for _, h := range headers {
		if h.Key == HeaderEpoch {
			n, err := strconv.ParseInt(string(h.Value), 10, 64)
			if err == nil {
				return n
			}
		}
	}
	return 0
}
