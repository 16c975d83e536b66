package bidder

import (
	"strconv"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
	"github.com/maypok86/otter/v2"
)

// answers keeps the answers with bids, so that a bid request that is sent again gets the same one,
// and reserves no money again.
type answers struct{ known *otter.Cache[string, []byte] }

// answerBytes is about what the cache itself needs for an answer.
const answerBytes = 200

func newAnswers(bytes int) *answers {
	return &answers{otter.Must(&otter.Options[string, []byte]{
		MaximumWeight: uint64(bytes),
		Weigher:       func(key string, b []byte) uint32 { return uint32(len(key) + len(b) + answerBytes) },
		Executor:      func(fn func()) { fn() }, // no goroutine outlives the stage
	})}
}

func (a *answers) get(key string) ([]byte, bool) { return a.known.GetIfPresent(key) }

// put keeps a copy of an answer, and returns it.
func (a *answers) put(key string, b []byte) []byte {
	kept := append([]byte(nil), b...)
	a.known.Set(key, kept)
	return kept
}

// keptID is the most bytes of an exchange's id that are part of ours.
const keptID = 64

// appendKey appends the id that stands for a bid request: what can be kept of the exchange's id,
// for people who look for it, and a hash of the whole body, since not every exchange's ids differ.
func appendKey(dst []byte, id string, body []byte) []byte {
	if len(id) > keptID || event.CheckRequestID(id) != nil {
		id = ""
	}
	if dst = append(dst, id...); id != "" {
		dst = append(dst, '-')
	}
	hash := xxhash.Sum64(body)
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[hash>>shift&15])
	}
	return dst
}

// impID is the id of the score request for an impression of a bid request. Its prediction is the
// bid.
func impID(key string, index int) string { return key + "." + strconv.Itoa(index) }
