package event

import "sort"

// HighWater drops examples that were seen: those of one place (topic id, partition) come with
// rising offsets, so one that is not above the highest is a repeat. Revisions rise on their own,
// behind the examples that they correct. The zero value has seen nothing.
type HighWater struct {
	marks map[waterKey]int64
}

type waterKey struct {
	topic     string
	partition int32
}

// revisions is what the topic of a revision's mark ends with, so that Marks and Restore carry both
// kinds. A topic id holds hexadecimal digits alone.
const revisions = "~revisions"

// Fresh says whether src was not seen before, and remembers it. A revision corrects an example that
// was seen: it counts once by itself, and moves nothing for examples.
func (h *HighWater) Fresh(src Source, revision bool) bool {
	k := waterKey{src.Topic, src.Partition}
	if revision {
		k.topic += revisions
	}
	if last, ok := h.marks[k]; ok && src.Offset <= last {
		return false
	}
	if h.marks == nil {
		h.marks = map[waterKey]int64{}
	}
	h.marks[k] = src.Offset
	return true
}

// Knows says whether an example of src's topic and partition was seen.
func (h *HighWater) Knows(src Source) bool {
	_, ok := h.marks[waterKey{src.Topic, src.Partition}]
	return ok
}

// Marks returns the highest source seen of each place, in a fixed order.
func (h *HighWater) Marks() []Source {
	marks := make([]Source, 0, len(h.marks))
	for k, offset := range h.marks {
		marks = append(marks, Source{k.topic, k.partition, offset})
	}
	sort.Slice(marks, func(i, j int) bool {
		a, b := marks[i], marks[j]
		return a.Topic < b.Topic || a.Topic == b.Topic && a.Partition < b.Partition
	})
	return marks
}

// Restore makes h what Marks was taken from.
func (h *HighWater) Restore(marks []Source) {
	h.marks = make(map[waterKey]int64, len(marks))
	for _, m := range marks {
		h.marks[waterKey{m.Topic, m.Partition}] = m.Offset
	}
}
