package signing

import (
	"encoding/base64"
	"strings"
	"testing"
	"testing/quick"
)

func TestWhatIsSealedIsOpenedUnderItsLabel(t *testing.T) {
	k := keysOf(t, secretA)
	roundTrip := func(payload []byte) bool {
		text := string(k.Seal([]byte("before "), "l", payload))
		got, v := k.Open([]byte("x"), "l", strings.TrimPrefix(text, "before "))
		return v == Valid && string(got) == "x"+string(payload)
	}
	if err := quick.Check(roundTrip, nil); err != nil {
		t.Error(err)
	}
	text := string(k.Seal(nil, "label", []byte("payload")))
	f := func(k *Keys, label, text string, want Verdict) {
		t.Helper()
		got, v := k.Open(nil, label, text)
		if v != want || (len(got) > 0) != (want == Valid) {
			t.Errorf("%q of %q: %v and %q, want %v", text, label, v, got, want)
		}
	}
	f(k, "label", text, Valid)
	f(k, "labe", text, Mismatch)
	f(k, "labelp", text, Mismatch)
	f(k, "label", "", Missing)
	f(k, "label", "x", Malformed)
	f(k, "label", text+"AAAA", Mismatch)
	f(k, "label", text+"=", Malformed)
	f(k, "label", text[:10]+"\n"+text[10:], Malformed)
	f(k, "label", strings.Repeat("A", MaxSealed+1), Malformed)
	f(k, "label", tokenOf(k), Malformed) // of a prediction
	f(keysOf(t, secretB, secretA), "label", text, Valid)
	f(keysOf(t, secretB), "label", text, UnknownKey)
	if v := k.Verify(text, prediction, issued, lifetime); v != Malformed {
		t.Errorf("a sealed text as the token of a prediction: %v", v)
	}
	// even one of a token's length and first byte
	same := string(k.Seal(nil, "l", make([]byte, rawBytes-sealedFrame)))
	raw, _ := base64.RawURLEncoding.DecodeString(same)
	raw[0] = version
	if v := k.Verify(base64.RawURLEncoding.EncodeToString(raw), "l", issued, lifetime); v != Mismatch {
		t.Errorf("a sealed text with the version of a token: %v", v)
	}
}

// No text but the one that was sealed is valid: each bit, each cut and each extension counts.
func TestASealedTextCannotBeAltered(t *testing.T) {
	k := keysOf(t, secretA, secretB)
	for n := range 8 { // all remainders of base64's groups
		text := k.Seal(nil, "label", []byte("payload!"[:n]))
		for i := range text {
			for bit := range 8 {
				altered := append([]byte(nil), text...)
				altered[i] ^= 1 << bit
				if got, v := k.Open(nil, "label", string(altered)); v == Valid || len(got) > 0 {
					t.Fatalf("bit %d of byte %d: %v", bit, i, v)
				}
			}
			if _, v := k.Open(nil, "label", string(text[:i])); v == Valid {
				t.Fatalf("cut to %d bytes it is valid", i)
			}
		}
	}
}

func TestOpeningAllocatesNothingButTheText(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool forgets on purpose")
	}
	k := keysOf(t, secretA)
	payload, dst, open := []byte("a payload of some length, such as that of a bid"), make([]byte, 0, 1024), make([]byte, 0, 1024)
	text := string(k.Seal(nil, "label", payload))
	if n := testing.AllocsPerRun(100, func() { dst = k.Seal(dst[:0], "label", payload) }); n > 0 {
		t.Errorf("sealing allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, v := k.Open(open, "label", text); v != Valid {
			t.Fatal(v)
		}
	}); n > 1 { // the bytes of the text
		t.Errorf("opening allocates %v times", n)
	}
}

func FuzzOpen(f *testing.F) {
	k := keysOf(f, secretA, secretB)
	f.Add(string(k.Seal(nil, "label", []byte("payload"))))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		got, v := k.Open(nil, "label", text)
		if v == Valid && string(k.Seal(nil, "label", got)) != text {
			t.Errorf("%q is valid", text)
		}
	})
}
