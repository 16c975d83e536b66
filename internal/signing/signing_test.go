package signing

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
)

const (
	secretA = "5a0d1f6e2b3c4d5e6f708192a3b4c5d6"
	secretB = "another secret of a deployment"

	prediction = "auction-42.1"
	issued     = event.Time(1_795_000_000_123)
	lifetime   = time.Hour
)

func keysOf(t testing.TB, secrets ...string) *Keys {
	t.Helper()
	k, err := Parse(strings.Join(secrets, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func tokenOf(k *Keys) string { return string(k.Append(nil, []byte(prediction), issued)) }

// A pseudonym is a part of a MAC that no token and no sealed text has.
func TestAPseudonymNeedsTheFirstSecret(t *testing.T) {
	h := hmac.New(sha256.New, []byte(secretA))
	h.Write([]byte("pseudonym u1"))
	want := int64(binary.BigEndian.Uint64(h.Sum(nil)) >> 11)
	both, other := keysOf(t, secretA, secretB), keysOf(t, secretB)
	if got := both.Pseudonym("u1"); got != want || got >= 1<<53 || got == other.Pseudonym("u1") || got == both.Pseudonym("u2") {
		t.Errorf("u1 is %d, want %d; under another secret %d, u2 is %d", got, want, other.Pseudonym("u1"), both.Pseudonym("u2"))
	}
	if n := testing.AllocsPerRun(100, func() { both.Pseudonym("u1") }); n != 0 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
}

// The bytes of a token are written down here once more, by the standard library alone.
func TestATokenHasTheDocumentedForm(t *testing.T) {
	of := func(secret string, message []byte) []byte {
		h := hmac.New(sha256.New, []byte(secret))
		h.Write(message)
		return h.Sum(nil)
	}
	raw := append([]byte{1}, of(secretA, []byte("clickloop key id"))[:4]...)
	raw = append(raw, binary.BigEndian.AppendUint64(nil, uint64(issued))[2:]...)
	raw = append(raw, of(secretA, append(raw[:11:11], prediction...))[:16]...)
	want := base64.RawURLEncoding.EncodeToString(raw)
	if got := string(keysOf(t, secretA).Append([]byte("x"), []byte(prediction), issued)); got != "x"+want || len(want) != TokenBytes {
		t.Errorf("got %s, want x%s", got, want)
	}
}

func TestATokenIsValidForItsPredictionUntilItsLifetimeHasPassed(t *testing.T) {
	k, other := keysOf(t, secretA), keysOf(t, secretB)
	token := tokenOf(k)
	for name, x := range map[string]struct {
		keys              *Keys
		token, prediction string
		received          event.Time
		want              Verdict
	}{
		"at once":               {k, token, prediction, issued, Valid},
		"before":                {k, token, prediction, issued - 5000, Valid}, // clocks differ
		"at the end":            {k, token, prediction, issued.Add(lifetime), Valid},
		"after it":              {k, token, prediction, issued.Add(lifetime) + 1, Expired},
		"missing":               {k, "", prediction, issued, Missing},
		"another prediction":    {k, token, "auction-42.0", issued, Mismatch},
		"a longer id":           {k, token, prediction + "0", issued, Mismatch},
		"no prediction":         {k, token, "", issued, Mismatch},
		"another deployment":    {other, token, prediction, issued, UnknownKey},
		"not base64":            {k, strings.Repeat("!", TokenBytes), prediction, issued, Malformed},
		"padded":                {k, token + "==", prediction, issued, Malformed},
		"too short":             {k, token[:TokenBytes-1], prediction, issued, Malformed},
		"too long":              {k, token + "A", prediction, issued, Malformed},
		"a line end within":     {k, token[:9] + "\n" + token[10:], prediction, issued, Malformed},
		"another version":       {k, "Ag" + token[2:], prediction, issued, Malformed},
		"a later time":          {k, string(later(token)), prediction, issued.Add(2 * lifetime), Mismatch},
		"an expired forgery":    {k, string(later(token)), prediction, issued.Add(9 * lifetime), Mismatch},
		"very long and no form": {k, strings.Repeat("A", 256), prediction, issued, Malformed},
	} {
		if got := x.keys.Verify(x.token, x.prediction, x.received, lifetime); got != x.want {
			t.Errorf("%s: %v, want %v", name, got, x.want)
		}
	}
}

// later is a token whose time is an hour later than was signed.
func later(token string) []byte {
	raw, _ := decode(token)
	putTime(raw[idEnd:headBytes], timeOf(raw[idEnd:headBytes]).Add(lifetime))
	return base64.RawURLEncoding.AppendEncode(nil, raw[:])
}

func TestNoAlteredBitIsValid(t *testing.T) {
	k := keysOf(t, secretA)
	raw, _ := decode(tokenOf(k))
	for bit := range rawBytes * 8 {
		altered := raw
		altered[bit/8] ^= 1 << (bit % 8)
		want := Mismatch
		switch {
		case bit < 8:
			want = Malformed
		case bit < 8*idEnd:
			want = UnknownKey
		}
		if got := k.Verify(base64.RawURLEncoding.EncodeToString(altered[:]), prediction, issued, lifetime); got != want {
			t.Errorf("bit %d: %v, want %v", bit, got, want)
		}
	}
}

func TestNoAlteredCharacterIsValid(t *testing.T) {
	k := keysOf(t, secretA)
	token := tokenOf(k)
	for i := range token {
		for c := range 256 {
			altered := token[:i] + string([]byte{byte(c)}) + token[i+1:]
			if k.Verify(altered, prediction, issued, lifetime) == Valid && altered != token {
				t.Errorf("%q is valid for %q", altered, token)
			}
		}
	}
}

// Every step of a rotation is made at one process after another. Whatever two neighbouring steps a
// scorer and a feedback have, what one signs the other takes.
func TestARotationRefusesNoToken(t *testing.T) {
	steps := []*Keys{keysOf(t, secretA), keysOf(t, secretA, secretB), keysOf(t, secretB, secretA)}
	for i, scorer := range steps {
		for j, feedback := range steps {
			if got := feedback.Verify(tokenOf(scorer), prediction, issued, lifetime); i-j <= 1 && j-i <= 1 && got != Valid {
				t.Errorf("signed at step %d, checked at step %d: %v", i, j, got)
			}
		}
	}
	last := keysOf(t, secretB)
	if got := last.Verify(tokenOf(steps[2]), prediction, issued, lifetime); got != Valid {
		t.Errorf("signed by the new secret: %v", got)
	}
	if got := last.Verify(tokenOf(steps[1]), prediction, issued, lifetime); got != UnknownKey {
		t.Errorf("signed by the secret that was taken away: %v", got)
	}
}

func TestTimesSurviveToTheirBounds(t *testing.T) {
	for _, at := range []event.Time{0, 1, -1, issued, -62167219200000, maxIssued, -maxIssued} {
		var b [6]byte
		if putTime(b[:], at); timeOf(b[:]) != at {
			t.Errorf("%d became %d", at, timeOf(b[:]))
		}
	}
	var b [6]byte
	if putTime(b[:], 1<<50); timeOf(b[:]) != maxIssued {
		t.Errorf("a time beyond the bounds became %d", timeOf(b[:]))
	}
}

func TestSecretsThatAreNoneAreRefusedByTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "has no secret",
		"\n \n":                          "has no secret",
		secretA + "\nshort-secret":       "12 bytes in line 2",
		"\n" + strings.Repeat("x", 1025): "1025 bytes in line 2",
		secretA + "\n\n " + secretA:      "lines 1 and 3",
		many(33):                         "more than 32 secrets",
	} {
		_, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), secretA) || strings.Contains(err.Error(), "short-secret")) {
			t.Errorf("%v tells a secret", err)
		}
	}
	if k := keysOf(t, "  "+secretA+"\r", "", many(31)); len(k.keys) != 32 || string(k.Append(nil, []byte(prediction), issued)) != tokenOf(keysOf(t, secretA)) {
		t.Error("space around a secret counts")
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(secretB + strings.Repeat("x", i+1) + "\n")
	}
	return b.String()
}

func TestSigningAndCheckingAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("with the race detector, pools drop what they are given")
	}
	k := keysOf(t, secretB, secretA)
	old := tokenOf(keysOf(t, secretA))
	dst, id := make([]byte, 0, TokenBytes), []byte(prediction)
	if n := testing.AllocsPerRun(1000, func() { dst = k.Append(dst[:0], id, issued) }); n != 0 {
		t.Errorf("signing makes %v allocations", n)
	}
	for _, token := range []string{old, "", "x", old[:30] + "AAAAAA"} {
		if n := testing.AllocsPerRun(1000, func() { k.Verify(token, prediction, issued, lifetime) }); n != 0 {
			t.Errorf("checking %q makes %v allocations", token, n)
		}
	}
}

// Whatever comes as a token: no panic, and none is valid but the one that was signed.
func FuzzVerify(f *testing.F) {
	k := keysOf(f, secretA, secretB)
	token := tokenOf(k)
	for _, s := range []string{"", token, token[1:], token + "=", strings.ToUpper(token), strings.Repeat("\n", 36), "AQ", "\xff"} {
		f.Add(s, prediction, int64(issued))
	}
	f.Fuzz(func(t *testing.T, text, id string, at int64) {
		if v := k.Verify(text, prediction, issued, lifetime); v == Valid && text != token {
			t.Fatalf("%q is valid", text)
		}
		signed := string(k.Append(nil, []byte(id), event.Time(at)))
		if got := k.Verify(signed, id, min(max(event.Time(at), -maxIssued), maxIssued), 0); got != Valid {
			t.Fatalf("%q of %q at %d: %v", signed, id, at, got)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	k := keysOf(b, secretA)
	dst, id := []byte(nil), []byte(prediction)
	b.ReportAllocs()
	for b.Loop() {
		dst = k.Append(dst[:0], id, issued)
	}
}

func BenchmarkVerify(b *testing.B) {
	k := keysOf(b, secretA)
	token := tokenOf(k)
	b.ReportAllocs()
	for b.Loop() {
		if k.Verify(token, prediction, issued, lifetime) != Valid {
			b.Fatal("not valid")
		}
	}
}
