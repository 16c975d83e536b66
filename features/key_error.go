package features

import (
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// KeyError says that a key in Redis holds what this program never wrote: another program used it,
// or somebody changed it by hand. Nothing can be folded into it or read from it until it is mended.
type KeyError struct {
	Key    string
	Reason string // such as "is a string, expected a hash"
}

// Error names the key, what is wrong with it, and how to mend it.
func (e *KeyError) Error() string {
	return "the key " + e.Key + " in Redis " + e.Reason + ": find out what wrote it, then delete it and the keys " + e.positions() +
		"*, and everything is folded again from the events"
}

// positions is what the keys of positions beside Key begin with.
func (e *KeyError) positions() string {
	for _, sep := range []string{positionInfix, profileInfix} {
		if namespace, _, ok := strings.Cut(e.Key, sep); ok {
			return namespace + positionInfix
		}
	}
	return positionInfix
}

// badKey is what the script's answer begins with when a key is wrong; its name follows.
const badKey = "BADKEY "

// asKeyError makes the script's complaint about one of keys a *KeyError; other errors stay as they
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
