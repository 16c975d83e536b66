package access

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode"
)

const (
	minKey = 16 // bytes of a key that must not be guessed
	// minWriteKey is for keys that are good for events alone. They stand in web pages, so they are
	// no secrets.
	minWriteKey = 8
	maxSource   = 64 << 10 // bytes of a file or a variable with keys
)

// digest stands for a key. It begins with bytes that are random in each process, so nobody outside
// can compute one, and the time of a look-up tells nothing about keys or names.
type digest [sha256.Size]byte

type hasher [sha256.Size]byte

func newHasher() hasher {
	var h hasher
	_, _ = rand.Read(h[:]) // it never fails
	return h
}

func (h *hasher) digest(key string) digest {
	var buf [sha256.Size + maxKey]byte
	b := append(buf[:0], h[:]...)
	return sha256.Sum256(append(b, key...))
}

// keyring is the clients by the digests of their keys. It does not change.
type keyring map[digest]*client

// source is where the keys of a client come from.
type source struct {
	client  *client
	key     Key
	digests []digest // that hold
	refused digest   // of the text that was refused last, so that it is logged once
}

// text reads the source.
func (s *source) text() (string, error) {
	if s.key.Env != "" {
		text := os.Getenv(s.key.Env)
		if strings.TrimSpace(text) == "" {
			return "", errors.New("is empty, want a key")
		}
		return text, nil
	}
	f, err := os.Open(s.key.File)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	return string(b), err
}

// parse reads a key a line. Its errors hold no part of a key.
func (s *source) parse(text string, h *hasher) ([]digest, error) {
	if len(text) > maxSource {
		return nil, fmt.Errorf("has more than %d bytes, want a key a line", maxSource)
	}
	least := minKey
	if len(s.key.For) == 1 && s.key.For[0] == Events {
		least = minWriteKey
	}
	var all []digest
	n := 0
	for line := range strings.Lines(text) {
		n++
		key := strings.TrimSpace(line)
		switch {
		case key == "":
			continue
		case len(key) < least || len(key) > maxKey:
			return nil, fmt.Errorf("line %d has %d characters, want a key of %d to %d, such as `openssl rand -hex 24` makes", n, len(key), least, maxKey)
		case strings.ContainsFunc(key, isForeign):
			return nil, fmt.Errorf("line %d has a character that a key cannot have, want letters, digits and - . _ ~ + / = only", n)
		}
		if d := h.digest(key); !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("has no key, want one a line")
	}
	return all, nil
}

// isForeign tells characters that the token of RFC 6750 does not have.
func isForeign(r rune) bool {
	return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._~+/=", r)
}

// where names a source for people.
func (s *source) where() string {
	if s.key.Env != "" {
		return "access.keys." + s.client.name + ": variable " + s.key.Env
	}
	return "access.keys." + s.client.name + ": file " + s.key.File
}

// join makes the keyring of sources, of which one may have other digests than its own.
func join(sources []*source, changed *source, digests []digest) (keyring, error) {
	ring := keyring{}
	for _, s := range sources {
		own := s.digests
		if s == changed {
			own = digests
		}
		for _, d := range own {
			if other := ring[d]; other != nil {
				return nil, fmt.Errorf("has a key that access.keys.%s has, too: want different ones", other.name)
			}
			ring[d] = s.client
		}
	}
	return ring, nil
}

// names are those of the clients in their order.
func names(keys map[string]Key) []string { return slices.Sorted(maps.Keys(keys)) }
