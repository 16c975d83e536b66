package access

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// Bearer is a transport of a client that sends its key with every call.
type Bearer struct {
	Key  string // empty: none is sent
	Next http.RoundTripper
}

var _ http.RoundTripper = Bearer{}

// RoundTrip sends r with the key.
func (b Bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.Key == "" {
		return b.Next.RoundTrip(r)
	}
	with := r.Clone(r.Context()) // a transport may not change a request
	with.Header.Set("Authorization", "Bearer "+b.Key)
	return b.Next.RoundTrip(with)
}

// String keeps the key out of what is printed.
func (b Bearer) String() string { return "Bearer ***" }

// ReadKey returns the first key of a file, for a client that sends it.
func ReadKey(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSource))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(b)) {
		if key := strings.TrimSpace(line); key != "" {
			if len(key) > maxKey || strings.ContainsFunc(key, isForeign) {
				break
			}
			return key, nil
		}
	}
	return "", fmt.Errorf("%s has no key in its first line: want letters, digits and - . _ ~ + / =", path)
}
