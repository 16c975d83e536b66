package features

import (
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// KeyError says that a key in Redis holds something that this program never wrote: another program
// used the key, or somebody changed it by hand. It can neither be folded into nor read until that
// is repaired.
type KeyError struct {
	Key    string
	Reason string // such as "is a string, expected a hash"
}

// Error names the key, its fault, and the repair.
func (e *KeyError) Error() string {
	return "the key " + e.Key + " in Redis " + e.Reason + ": find out what wrote it, then delete it and the keys " + e.positions() +
		"*, and everything is folded again from the events"
}

// positions is the beginning of the keys that hold the positions of Key's namespace.
func (e *KeyError) positions() string {
	namespace, _, _ := strings.Cut(e.Key, profileInfix)
	namespace, _, _ = strings.Cut(namespace, positionInfix)
	return namespace + positionInfix
}

// badKey begins the script's answer when a key is wrong; the key and the reason follow.
const badKey = "BADKEY "

// asKeyError makes the script's complaint about one of keys a *KeyError. Other errors stay as they
// are.
func asKeyError(err error, keys []string) error {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return err
	}
	text, ok := strings.CutPrefix(reply.Error(), badKey)
	if !ok {
		return err
	}
	for _, key := range keys {
		if reason, ok := strings.CutPrefix(text, key+" "); ok {
			return &KeyError{Key: key, Reason: reason}
		}
	}
	return err
}
