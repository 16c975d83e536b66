package dashboard

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

const (
	mostReasons   = 100    // that are told apart
	lettersFirst  = 10_000 // that are read when somebody begins to watch
	lettersTurn   = 2_000  // that are read for one state
	reasonShown   = 200    // bytes
	letterReasons = 30     // of a state
)

// letters counts dead letters by stage and reason. Reasons name values, so what stands in quotation
// marks is left out of them.
type letters struct {
	next   map[int]int64 // by partition
	read   int64
	others int64
	by     map[letterKind]*ReasonInfo
}

type letterKind struct{ stage, reason string }

func newLetters() *letters { return &letters{next: map[int]int64{}, by: map[letterKind]*ReasonInfo{}} }

// readLetters reads what is new on the topic, up to a bound.
func (c *collector) readLetters(ctx context.Context) error {
	const topic = event.TopicDeadLetter
	l := c.letters
	total := int64(0)
	for p, rg := range c.ranges[topic] {
		total += rg.End - rg.First
		next, known := l.next[p]
		if !known || next > rg.End {
			next = rg.End - lettersFirst
		}
		if next = max(next, rg.First); next >= rg.End {
			l.next[p] = rg.End
			continue
		}
		to := min(rg.End, next+lettersTurn)
		var d event.DeadLetter
		err := c.span(ctx, topic, p, next, to, func(r *stream.Record) {
			if err := d.UnmarshalJSON(r.Value); err != nil {
				c.skip(topic)
				return
			}
			c.see(topic, r, d.Time)
			l.add(&d)
		})
		if err != nil {
			return err
		}
		l.next[p] = to
	}
	c.state.DeadLetters = l.describe(total)
	return nil
}

func (l *letters) add(d *event.DeadLetter) {
	l.read++
	kind := letterKind{d.Stage, plainReason(d.Reason)}
	info := l.by[kind]
	if info == nil {
		if len(l.by) >= mostReasons {
			l.others++
			return
		}
		info = &ReasonInfo{Stage: d.Stage, Reason: kind.reason}
		l.by[kind] = info
	}
	info.Count++
	info.Newest, info.Topic, info.Partition, info.Offset = d.Time, d.Topic, d.Partition, d.Offset
}

// plainReason leaves out quoted values and numbers of bytes, by which equal faults differ.
func plainReason(reason string) string {
	out := make([]byte, 0, min(len(reason), reasonShown))
	quoted := false
	for i := 0; i < len(reason) && len(out) < reasonShown; i++ {
		b := reason[i]
		switch {
		case b == '"':
			if quoted = !quoted; quoted {
				out = append(out, `"…"`...)
			}
		case quoted && b == '\\':
			i++
		case quoted:
		default:
			out = append(out, b)
		}
	}
	for len(out) > 0 && len(out) < len(reason) && out[len(out)-1] >= 0x80 && !validEnd(out) {
		out = out[:len(out)-1]
	}
	return string(out)
}

func (l *letters) describe(total int64) DeadLetterInfo {
	info := DeadLetterInfo{Total: total, Read: l.read, Others: l.others, Reasons: []ReasonInfo{}}
	all := slices.Collect(maps.Values(l.by))
	slices.SortFunc(all, func(a, b *ReasonInfo) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Reason, b.Reason))
	})
	for i, r := range all {
		if i >= letterReasons {
			info.Others += r.Count
			continue
		}
		info.Reasons = append(info.Reasons, *r)
	}
	return info
}

// validEnd tells whether b ends with a whole character.
func validEnd(b []byte) bool {
	r, size := utf8.DecodeLastRune(b)
	return r != utf8.RuneError || size > 1
}
