package event

import "sort"

// HighWater finds examples that were seen before. The examples of one partition of predictions
// carry rising offsets, so an example whose offset is not above the highest so far is a repeat.
// Revisions have a mark of their own, since they come behind the examples that they correct. The
// zero value has seen nothing.
type HighWater struct {
	marks map[placeKey]int64
}

type placeKey struct {
	topic     string
	partition int32
}

// revisions ends the topic in the mark of revisions, so that Marks and Restore carry both kinds of
// marks. A topic id itself holds only hexadecimal digits.
const revisions = "~revisions"

// Fresh says that src was not seen before, and remembers it. A revision moves only the mark of
// revisions.
func (h *HighWater) Fresh(src Source, revision bool) bool {
	k := placeKey{src.Topic, src.Partition}
	if revision {
		k.topic += revisions
	}
	if last, ok := h.marks[k]; ok && src.Offset <= last {
		return false
	}
	if h.marks == nil {
		h.marks = map[placeKey]int64{}
	}
	h.marks[k] = src.Offset
	return true
}

// Knows says whether an example of src's topic and partition was seen.
func (h *HighWater) Knows(src Source) bool {
	_, ok := h.marks[placeKey{src.Topic, src.Partition}]
	return ok
}

// Marks returns the highest source of each partition, in a fixed order.
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

// Restore sets h to the state that Marks returned.
func (h *HighWater) Restore(marks []Source) {
	h.marks = make(map[placeKey]int64, len(marks))
	for _, m := range marks {
		h.marks[placeKey{m.Topic, m.Partition}] = m.Offset
	}
}
