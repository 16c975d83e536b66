package notice

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/signing"
)

// Kind is what a notice tells.
type Kind uint8

// Kinds of notices. A token is good for one kind alone.
const (
	Win        Kind = iota + 1 // the bid won its auction
	Bill                       // its price is owed
	Loss                       // it lost
	Impression                 // the ad was shown
	Click                      // and clicked
	Progress                   // a part of it was seen: see Steps
	kinds
)

// String is the kind's part of a path, and its label in metrics.
func (k Kind) String() string {
	return [...]string{"none", "win", "bill", "loss", "imp", "click", "progress"}[min(k, kinds-1)]
}

// Bid is what the tokens of a bid carry. Nothing in it is of the user.
type Bid struct {
	ID       string // the bid's, which is that of its prediction
	Campaign string
	Ad       string         // the creative's id
	Price    auction.Micros // of one impression, as it was bid and reserved
	Currency string         // of the bid's price at the exchange; empty: the account's
	Issued   event.Time     // when the bid was made
	Expires  event.Time     // when its reservation ends
	Test     bool           // of a test auction: its notices are answered, and change nothing
	// Base is where the exchange and browsers reach us, as the function Base returns it. It is in
	// no token. Empty: the base of the Links.
	Base string
}

// Token is what a signed token says.
type Token struct {
	Kind Kind
	Bid
	Target string // of a click: where it leads; empty: it leads nowhere, and is a pixel
}

// label keeps the tokens of notices apart from all else that the keys sign.
const label = "clickloop-notice"

// testBit is set in the kind of a test auction's tokens.
const testBit = 1 << 6

// maxTarget is the most bytes of a target.
const maxTarget = 2048

// A token's payload, whose numbers are varints and whose texts have their length in front:
//
//	kind (and testBit), issued (ms), expires (ms after issued), price, currency, id, campaign, ad, target
func (t *Token) appendPayload(dst []byte) []byte {
	kind := byte(t.Kind)
	if t.Test {
		kind |= testBit
	}
	dst = append(dst, kind)
	dst = binary.AppendUvarint(dst, uint64(max(t.Issued, 0)))
	dst = binary.AppendUvarint(dst, uint64(max(t.Expires-t.Issued, 0)))
	dst = binary.AppendUvarint(dst, uint64(max(t.Price, 0)))
	for _, text := range [...]string{t.Currency, t.ID, t.Campaign, t.Ad, t.Target} {
		dst = append(binary.AppendUvarint(dst, uint64(len(text))), text...)
	}
	return dst
}

// Append appends the signed token, in characters that need no escape in a URL.
func (t *Token) Append(dst []byte, keys *signing.Keys) []byte {
	var scratch [512]byte
	return keys.Seal(dst, label, t.appendPayload(scratch[:0]))
}

// Verdict is what a check of a token has found. Its text is a label of metrics.
type Verdict string

// Verdicts beside those of package signing: missing, malformed, unknown_key and mismatch.
const (
	Valid     Verdict = "valid"
	OtherKind Verdict = "kind"    // it is a good token for another kind of notice
	Expired   Verdict = "expired" // it was made longer ago than late notices are taken
)

// Open reads a token of a kind at a time. The token is filled in for Valid, OtherKind and Expired,
// whose signature is right.
func Open(keys *signing.Keys, text string, kind Kind, now event.Time, late time.Duration) (Token, Verdict) {
	payload, v := keys.Open(nil, label, text)
	if v != signing.Valid {
		return Token{}, Verdict(v.String())
	}
	t, err := parse(payload)
	switch {
	case err != nil: // signed by another version of this program
		return Token{}, Verdict(signing.Malformed.String())
	case t.Kind != kind:
		return t, OtherKind
	case now > t.Issued.Add(late):
		return t, Expired
	}
	return t, Valid
}

var errPayload = errors.New("the payload of a token ends in the middle, or goes on")

func parse(b []byte) (t Token, err error) {
	number := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > math.MaxInt64/2 {
			err, b = errPayload, nil
			return 0
		}
		b = b[n:]
		return v
	}
	text := func() string {
		n := number()
		if n > uint64(len(b)) {
			err, b = errPayload, nil
			return ""
		}
		s := string(b[:n])
		b = b[n:]
		return s
	}
	kind := number()
	t.Kind, t.Test = Kind(min(kind&^testBit, uint64(kinds))), kind&testBit != 0
	t.Issued = event.Time(number())
	t.Expires = t.Issued + event.Time(number())
	t.Price = auction.Micros(number())
	for _, s := range [...]*string{&t.Currency, &t.ID, &t.Campaign, &t.Ad, &t.Target} {
		*s = text()
	}
	if err == nil && (len(b) > 0 || t.Kind >= kinds) {
		err = errPayload
	}
	return t, err
}
