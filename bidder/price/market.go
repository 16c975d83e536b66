package price

import (
	"math"
	"strconv"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
)

// maxTokens is how many values of a Market count.
const maxTokens = 16

// slots is how many tokens the model has room for; values of more share them by their hashes.
const slots = 8192

// tokensOf finds the tokens of a market. It allocates nothing.
func tokensOf(at *[maxTokens]uint32, market event.Fields) (n uint8) {
	for i := range market {
		f := &market[i]
		name := xxhash.Sum64String(f.Name) * 0x9e3779b97f4a7c15
		add := func(hash uint64) {
			if int(n) < maxTokens {
				at[n] = uint32((name ^ hash) * 0xff51afd7ed558ccd >> 32 % slots)
				n++
			}
		}
		switch f.Value.Kind {
		case event.String:
			add(xxhash.Sum64String(f.Value.Str))
		case event.Number:
			add(numberHash(f.Value.Num))
		case event.List:
			for j := range f.Value.List {
				add(xxhash.Sum64String(f.Value.List[j].Token))
			}
		}
	}
	return n
}

// numberHash is that of the number's text, since a number may be written in quotes as well.
func numberHash(f float64) uint64 {
	var text [32]byte
	return xxhash.Sum64(strconv.AppendFloat(text[:0], f, 'g', -1, 64))
}

// logMicros is the log of a price; prices below one micro are one micro.
func logMicros(micros int64) float64 { return math.Log(float64(max(micros, 1))) }
