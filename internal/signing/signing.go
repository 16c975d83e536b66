// Package signing makes and checks the signed tokens of predictions. The scorer's answer carries a
// token for each chosen candidate, and an event that names the prediction brings it back. So
// whoever knows or guesses the id of a prediction cannot label it. Under the same secrets it seals
// other facts that strangers carry, such as those of a bid in the URLs of its notices.
//
// The one invariant: a token is valid for one prediction id, until its lifetime has passed, under
// the secret that signed it, and a verdict depends on nothing else than these and the keys.
package signing

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
)

// A token is 27 bytes, and 36 characters of base64url (RFC 4648, section 5). That is a whole
// number of groups, so no character has unused bits and no two texts are the same token:
//
//	version  1 byte, 1
//	key id   4 bytes, of the secret that signed
//	issued   6 bytes, the prediction's time in milliseconds since 1970, big-endian, signed
//	mac      16 bytes: HMAC-SHA256 (RFC 2104) under the secret, of the bytes above and of the
//	         prediction's id, cut to its first 128 bits (RFC 2104, section 5)
const (
	version   = 1
	idEnd     = 1 + 4
	headBytes = idEnd + 6
	rawBytes  = headBytes + 16
	// TokenBytes is the length of every token.
	TokenBytes = rawBytes / 3 * 4
)

// Bounds of secrets. Shorter ones can be guessed.
const (
	minSecret = 16
	maxSecret = 1024
	maxKeys   = 32
)

// keyIDOf is the message whose MAC gives a key its id. No other one begins with its first byte.
const keyIDOf = "clickloop key id"

// Verdict is what a check has found.
type Verdict uint8

// Verdicts of Keys.Verify.
const (
	Valid Verdict = iota
	Missing
	Malformed  // it has not the form of a token
	UnknownKey // it was signed by another deployment, or by a secret that was taken away
	Mismatch   // it was altered, or belongs to another prediction
	Expired
	Verdicts int = iota
)

// String is the name that metrics use.
func (v Verdict) String() string {
	return [...]string{"valid", "missing", "malformed", "unknown_key", "mismatch", "expired"}[v]
}

// Keys are the secrets of a deployment. The first signs, all verify. Keys do not change, and any
// number of goroutines may use them.
type Keys struct{ keys []*key }

// key is one secret.
type key struct {
	id   [4]byte
	macs sync.Pool // of *mac
}

// mac computes MACs in memory of its own: what is passed to a hash.Hash would be allocated.
type mac struct {
	hash.Hash
	message, sum []byte
	raw          []byte // of a sealed text
}

// Parse reads secrets, one a line. Space around a secret and empty lines count for nothing. The
// error names the line, never its content, and goes on from the name of a file.
func Parse(text string) (*Keys, error) {
	k := &Keys{}
	lines := map[string]int{}
	for n, line := range strings.Split(text, "\n") {
		secret := strings.TrimSpace(line)
		switch before, again := lines[secret]; {
		case secret == "":
			continue
		case len(secret) < minSecret:
			return nil, fmt.Errorf("has %d bytes in line %d, want secrets of at least %d: make one by `openssl rand -hex 32`", len(secret), n+1, minSecret)
		case len(secret) > maxSecret:
			return nil, fmt.Errorf("has %d bytes in line %d, want secrets of at most %d: make one by `openssl rand -hex 32`", len(secret), n+1, maxSecret)
		case again:
			return nil, fmt.Errorf("has the same secret in lines %d and %d, want each once", before, n+1)
		case len(k.keys) == maxKeys:
			return nil, fmt.Errorf("has more than %d secrets: take away those that signed nothing for long", maxKeys)
		}
		lines[secret] = n + 1
		k.keys = append(k.keys, newKey(secret))
	}
	if len(k.keys) == 0 {
		return nil, errors.New("has no secret, want one a line: make one by `openssl rand -hex 32`")
	}
	return k, nil
}

func newKey(secret string) *key {
	k := &key{macs: sync.Pool{New: func() any { return &mac{Hash: hmac.New(sha256.New, []byte(secret))} }}}
	m := k.macs.Get().(*mac)
	m.message = append(m.message, keyIDOf...)
	copy(k.id[:], m.compute())
	k.macs.Put(m)
	return k
}

// compute is the MAC of m.message, valid until the next one.
func (m *mac) compute() []byte {
	m.Reset()
	_, _ = m.Write(m.message) // a hash.Hash never fails
	m.sum = m.Sum(m.sum[:0])
	return m.sum
}

// sign sets the MAC of raw, whose head is set, for a prediction under k.
func sign[ID string | []byte](k *key, raw *[rawBytes]byte, prediction ID) {
	m := k.macs.Get().(*mac)
	m.message = append(append(m.message[:0], raw[:headBytes]...), prediction...)
	copy(raw[headBytes:], m.compute())
	k.macs.Put(m)
}

// Append appends the token of a prediction, by its id, that was made at issued.
func (k *Keys) Append(dst, prediction []byte, issued event.Time) []byte {
	signs := k.keys[0]
	raw := [rawBytes]byte{version}
	copy(raw[1:], signs.id[:])
	putTime(raw[idEnd:headBytes], issued)
	sign(signs, &raw, prediction)
	return base64.RawURLEncoding.AppendEncode(dst, raw[:])
}

// Verify checks the token of an event that names a prediction and was received at a time. A token
// expires when its prediction was made more than lifetime before. The comparison of MACs takes the
// same time whatever they are. Nothing is allocated.
func (k *Keys) Verify(token, prediction string, received event.Time, lifetime time.Duration) Verdict {
	if token == "" {
		return Missing
	}
	raw, ok := decode(token)
	if !ok {
		return Malformed
	}
	verdict := UnknownKey
	for _, signed := range k.keys {
		if [4]byte(raw[1:idEnd]) != signed.id {
			continue
		}
		want := raw
		sign(signed, &want, prediction)
		if hmac.Equal(want[headBytes:], raw[headBytes:]) {
			if received > timeOf(raw[idEnd:headBytes]).Add(lifetime) {
				return Expired
			}
			return Valid
		}
		verdict = Mismatch // unless another secret has the same id
	}
	return verdict
}

// pseudonymOf begins the messages whose MACs are pseudonyms. No other one begins with its first
// byte.
const pseudonymOf = "pseudonym "

// Pseudonym is a number below 2^53 that tells users apart. Without the first secret nobody can find
// the user of a number, or guess the number of a user; a new first secret makes new numbers. It is
// never 0. Nothing is allocated.
func (k *Keys) Pseudonym(user string) int64 {
	signs := k.keys[0]
	m := signs.macs.Get().(*mac)
	m.message = append(append(m.message[:0], pseudonymOf...), user...)
	n := int64(binary.BigEndian.Uint64(m.compute()) >> (64 - 53))
	signs.macs.Put(m)
	return max(n, 1)
}

func decode(token string) (raw [rawBytes]byte, ok bool) {
	var text [TokenBytes]byte
	if copy(text[:], token) != len(token) {
		return raw, false
	}
	n, err := base64.RawURLEncoding.Decode(raw[:], text[:])
	return raw, err == nil && n == rawBytes && len(token) == TokenBytes && raw[0] == version
}

// maxIssued bounds times to 48 bits with their sign, which reach to the year 6429.
const maxIssued = 1<<47 - 1

func putTime(dst []byte, t event.Time) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(min(max(t, -maxIssued), maxIssued)))
	copy(dst, b[2:])
}

func timeOf(src []byte) event.Time {
	var b [8]byte
	copy(b[:], src)
	return event.Time(int64(binary.BigEndian.Uint64(b[:])) >> 16)
}
