package load

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// Bodies are requests that are sent in turn.
type Bodies [][]byte

// Body is a Load's.
func (b Bodies) Body(dst []byte, n int, _ *rand.Rand) []byte { return append(dst, b[n%len(b)]...) }

// Scores makes n score requests of so many users with a context of ten fields. Each has candidates
// of 2,000 ads and 100 campaigns, and waits for profiles for tmaxMs milliseconds; 0: for as long as
// the scorer's settings say.
func Scores(n, candidates, users, tmaxMs int) (all Bodies) {
	rng := rand.New(rand.NewPCG(5, 1))
	for range n {
		context := map[string]any{"hour": rng.IntN(24)}
		for f := range 9 {
			context[fmt.Sprint("field", f)] = fmt.Sprint("v", rng.IntN(1<<(f+2)))
		}
		ads := make([]map[string]string, candidates)
		for i := range ads {
			ads[i] = map[string]string{"ad": fmt.Sprint("a", rng.IntN(2000)), "campaign": fmt.Sprint("c", rng.IntN(100))}
		}
		request := map[string]any{"user": fmt.Sprint("u", rng.IntN(users)), "context": context, "candidates": ads}
		if tmaxMs > 0 {
			request["tmax_ms"] = tmaxMs
		}
		b, err := json.Marshal(request)
		if err != nil {
			panic("BUG: " + err.Error())
		}
		all = append(all, b)
	}
	return all
}
