package event

import "testing"

func TestHighWaterDropsWhatIsNotAboveTheHighest(t *testing.T) {
	var h HighWater
	f := func(topic string, partition int32, offset int64, revision, want bool) {
		t.Helper()
		if got := h.Fresh(Source{topic, partition, offset}, revision); got != want {
			t.Errorf("%s/%d@%d: fresh %v, want %v", topic, partition, offset, got, want)
		}
	}
	f("aa", 0, 0, false, true)
	f("aa", 0, 0, false, false)
	f("aa", 0, 7, false, true)
	f("aa", 0, 3, false, false)
	f("aa", 1, 3, false, true) // another partition
	f("bb", 0, 3, false, true) // the topic was made again
	f("aa", 0, 3, true, true)  // a revision corrects
	f("aa", 0, 3, true, false) // once
	f("aa", 0, 5, true, true)
	f("aa", 1, 2, true, true)
	f("aa", 0, 7, false, false) // and moves nothing
	var again HighWater
	again.Restore(h.Marks())
	h = again
	f("aa", 0, 7, false, false)
	f("aa", 0, 8, false, true)
	f("aa", 0, 5, true, false)
	f("aa", 0, 6, true, true)
	f("bb", 0, 3, false, false)
}
