package feedback

import (
	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/internal/signing"
)

// pseudonym returns a number that tells users apart, for AUC within users; 0 without a user. With
// feedback.sign_key only who has the secret can find the user of a number. Without it the number is
// a plain hash, so who guesses a user's id can check the guess.
func pseudonym(ring *signing.Ring, user string) int64 {
	switch {
	case user == "":
		return 0
	case ring != nil:
		return ring.Keys().Pseudonym(user)
	}
	return max(int64(xxhash.Sum64String(user)>>(64-53)), 1)
}
