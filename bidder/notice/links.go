package notice

import (
	"net/url"
	"strings"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/signing"
)

// Links makes the URLs of a bid's notices. Any number of goroutines may use it.
type Links struct {
	base string // with a slash at its end; empty: each bid has its own
	keys *signing.Ring
}

// NewLinks returns Links below base, under which exchanges and browsers reach the handlers. It may
// be empty where each Bid has its own. The error is that of Base.
func NewLinks(base string, keys *signing.Ring) (*Links, error) {
	if base == "" {
		return &Links{keys: keys}, nil
	}
	base, err := Base(base)
	return &Links{base: base, keys: keys}, err
}

// Base returns a base of URLs, such as https://bid.example/, in the form that Bid.Base wants. The
// error is a *field.Error about the field public_url.
func Base(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case len(text) > 256:
		return "", field.Wrong("public_url", "has %d bytes, at most 256 are allowed", len(text))
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", field.Wrong("public_url", "is %q, want the address under which exchanges and browsers reach this process, such as https://bid.example/", text)
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.ContainsFunc(text, outsideBase):
		return "", field.Wrong("public_url", "is %q, want http:// or https://, a host, and perhaps a path of plain characters", text)
	}
	return strings.TrimRight(text, "/") + "/", nil
}

// outsideBase says of what a base must not hold: anything that is escaped somewhere.
func outsideBase(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~:/[]%", r)
}

// Of is the base of a bid's URLs; empty: none is known.
func (l *Links) Of(b *Bid) string {
	if b.Base != "" {
		return b.Base
	}
	return l.base
}

// macros are the parameters of each kind, which exchanges and creatives fill in. Values are put in
// as they are, so each stands alone.
var macros = [kinds]string{
	Win:        "&p=${AUCTION_PRICE}&c=${AUCTION_CURRENCY}&m=${AUCTION_MIN_TO_WIN}",
	Bill:       "&p=${AUCTION_PRICE}&c=${AUCTION_CURRENCY}&m=${AUCTION_MIN_TO_WIN}",
	Loss:       "&p=${AUCTION_PRICE}&c=${AUCTION_CURRENCY}&m=${AUCTION_MIN_TO_WIN}&l=${AUCTION_LOSS}",
	Impression: "&p=${AUCTION_PRICE}&c=${AUCTION_CURRENCY}",
}

// Append appends the URL of a bid's notice of a kind: nurl, burl and lurl of an answer for Win,
// Bill and Loss; the pixel of an impression. It holds macros of OpenRTB, and no character that HTML
// or XML would have escaped but &. The URL of a click has not even that: see AppendClick.
func (l *Links) Append(dst []byte, kind Kind, b *Bid) []byte {
	dst = l.append(dst, &Token{Kind: kind, Bid: *b})
	return append(dst, macros[kind]...)
}

// AppendClick appends the URL that counts a click and redirects to target, an absolute http or
// https URL. Without a target it counts alone.
func (l *Links) AppendClick(dst []byte, b *Bid, target string) []byte {
	return l.append(dst, &Token{Kind: Click, Bid: *b, Target: target})
}

// AppendProgress appends the URL that tells how much of an ad was seen, by one of Steps.
func (l *Links) AppendProgress(dst []byte, b *Bid, step string) []byte {
	dst = l.append(dst, &Token{Kind: Progress, Bid: *b})
	return append(append(dst, "&e="...), step...)
}

func (l *Links) append(dst []byte, t *Token) []byte {
	dst = append(append(append(dst, l.Of(&t.Bid)...), "n/"...), t.Kind.String()...)
	return t.Append(append(dst, "?t="...), l.keys.Keys())
}

// CheckTarget says whether a click may lead to target: an absolute URL of http or https with a
// host, in printable ASCII. The error goes on from the name of the target.
func CheckTarget(target string) error {
	if len(target) > maxTarget {
		return field.Wrong("", "has %d bytes, at most %d are allowed", len(target), maxTarget)
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '"' || c == '<' || c == '>' {
			return field.Wrong("", "is %.80q, want printable ASCII with anything else escaped by %%", target)
		}
	}
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return field.Wrong("", "is %.80q, want an absolute URL of http or https", target)
	}
	return nil
}
