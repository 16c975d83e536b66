package tail

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/stream"
)

// Span is the range that -o gives: where to begin and, by time, where to stop. The zero Span begins
// at the end.
type Span struct {
	start string // beginning, end, an offset or -N; empty when since is set
	since time.Time
	until time.Time // zero: no end by time
	given int       // how many -o say where to begin
}

// OffsetForms lists the forms of -o for the help and for errors.
const OffsetForms = "beginning, end, -N (the last N of each partition), N (an offset), @TIME or s@TIME (from a time on), e@TIME (up to a time); TIME is RFC 3339 or milliseconds"

// Set parses one -o. One may give the beginning and another the end.
func (s *Span) Set(o string) error {
	if at, ok := strings.CutPrefix(o, "e@"); ok {
		if !s.until.IsZero() {
			return fmt.Errorf("another -o says where to stop")
		}
		t, err := parseMoment(at)
		s.until = t
		return err
	}
	if s.given++; s.given > 1 {
		return fmt.Errorf("another -o says where to begin")
	}
	if at, ok := strings.CutPrefix(strings.TrimPrefix(o, "s"), "@"); ok {
		t, err := parseMoment(at)
		s.start, s.since = "", t
		return err
	}
	switch o {
	case "stored":
		return fmt.Errorf("stored is where a consumer group goes on, and tail belongs to none: want %s", OffsetForms)
	case "beginning", "end":
	default:
		if _, err := strconv.ParseInt(o, 10, 64); err != nil || o[0] == '+' {
			return fmt.Errorf("want %s", OffsetForms)
		}
	}
	s.start = o
	return nil
}

// parseMoment parses the TIME of -o. Milliseconds are for scripts and for kcat's users.
func parseMoment(s string) (time.Time, error) {
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil && ms >= 0 {
		return time.UnixMilli(ms), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("want RFC 3339, such as 2026-11-25T09:00:00Z, or milliseconds since 1970 behind @")
	}
	return t, nil
}

// starts returns the offset to begin at for each partition.
func (s *Span) starts(ctx context.Context, client *stream.Client, topic string, ranges []stream.Range) ([]int64, error) {
	if !s.since.IsZero() {
		return client.OffsetsAt(ctx, topic, s.since)
	}
	offsets := make([]int64, len(ranges))
	for p, r := range ranges {
		switch s.start {
		case "beginning":
			offsets[p] = r.First
		case "end", "":
			offsets[p] = r.End
		default:
			n := s.number()
			if s.start[0] == '-' {
				n += r.End
			}
			offsets[p] = min(max(n, r.First), r.End)
		}
	}
	return offsets, nil
}

// number returns the offset, or below 0 the distance from the end.
func (s *Span) number() int64 {
	n, err := strconv.ParseInt(s.start, 10, 64)
	if err != nil {
		panic("BUG: -o " + s.start + " was not checked")
	}
	return n
}

// kcat returns kcat's flags for the span. The two differ where retention has deleted the first
// offset: tail begins at the first record that is left, and kcat jumps to the end unless it is told
// otherwise.
func (s *Span) kcat(ranges []stream.Range, partition int) (flags string, leftOut []string) {
	flags = " -o " + cmp.Or(s.start, "end")
	if !s.since.IsZero() {
		flags = fmt.Sprintf(" -o s@%d", s.since.UnixMilli())
	}
	if !s.until.IsZero() {
		flags += fmt.Sprintf(" -o e@%d", s.until.UnixMilli())
	}
	if s.start == "" || s.start == "beginning" || s.start == "end" {
		return flags, nil
	}
	below, beyond := false, false
	for p, r := range ranges {
		if partition >= 0 && p != partition {
			continue
		}
		if s.start[0] == '-' {
			below = below || r.First > 0 && r.End+s.number() < r.First
			continue
		}
		below, beyond = below || s.number() < r.First, beyond || s.number() > r.End
	}
	switch {
	case below && beyond:
		leftOut = append(leftOut, "partitions that hold nothing before offset "+s.start+" any more: give -p")
	case below:
		flags += " -X auto.offset.reset=earliest"
	}
	return flags, leftOut
}
