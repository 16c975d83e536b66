package signing

import (
	"crypto/hmac"
	"encoding/base64"
	"slices"
	"strings"
)

// A sealed text carries facts that whoever has it may read and not change. It is base64url without
// padding of:
//
//	version  1 byte, 2
//	key id   4 bytes, of the secret that signed
//	payload
//	mac      16 bytes: HMAC-SHA256 under the secret, cut as that of a token, of the version, the
//	         key id, the label (its length in a byte, and its bytes) and the payload
//
// The label says what the text is for, and is not in it. What is sealed under one label cannot be
// opened under another. No token of a prediction is a sealed text either, and the other way round:
// the messages of their MACs begin with other bytes.
const (
	sealedVersion = 2
	macBytes      = 16
	sealedFrame   = idEnd + macBytes
	// MaxSealed is the most bytes of a sealed text that Open reads.
	MaxSealed = 8 << 10
)

// strict refuses unused bits that are set: no two texts are the same sealed bytes.
var strict = base64.RawURLEncoding.Strict()

// Seal appends the text that carries payload under a label of at most 255 bytes.
func (k *Keys) Seal(dst []byte, label string, payload []byte) []byte {
	signs := k.keys[0]
	m := signs.macs.Get().(*mac)
	m.raw = append(append(m.raw[:0], sealedVersion), signs.id[:]...)
	m.raw = append(m.raw, payload...)
	sum := m.seal(label, m.raw[idEnd:])
	m.raw = append(m.raw, sum...)
	dst = strict.AppendEncode(dst, m.raw)
	signs.macs.Put(m)
	return dst
}

// seal is the MAC of a payload, whose key id stands in m.raw.
func (m *mac) seal(label string, payload []byte) []byte {
	m.message = append(m.message[:0], m.raw[:idEnd]...)
	m.message = append(append(m.message, byte(len(label))), label...)
	m.message = append(m.message, payload...)
	return m.compute()[:macBytes]
}

// Open appends the payload of a sealed text to dst. It is authentic with the verdict Valid alone;
// otherwise nothing is appended. A text does not expire: what is sealed may have a time. The
// comparison of MACs takes the same time whatever they are.
func (k *Keys) Open(dst []byte, label, text string) ([]byte, Verdict) {
	switch {
	case text == "":
		return dst, Missing
	case len(text) > MaxSealed || strings.ContainsAny(text, "\r\n"): // which the decoder would leave out
		return dst, Malformed
	}
	from := len(dst)
	raw, err := strict.AppendDecode(slices.Grow(dst, len(text)), []byte(text))
	if sealed := raw[from:]; err == nil && len(sealed) >= sealedFrame && sealed[0] == sealedVersion {
		verdict := k.check(label, sealed)
		if verdict == Valid {
			payload := sealed[idEnd : len(sealed)-macBytes]
			return append(raw[:from], payload...), Valid
		}
		return dst, verdict
	}
	return dst, Malformed
}

func (k *Keys) check(label string, sealed []byte) Verdict {
	end := len(sealed) - macBytes
	verdict := UnknownKey
	for _, signed := range k.keys {
		if [4]byte(sealed[1:idEnd]) != signed.id {
			continue
		}
		m := signed.macs.Get().(*mac)
		m.raw = append(m.raw[:0], sealed[:idEnd]...)
		equal := hmac.Equal(m.seal(label, sealed[idEnd:end]), sealed[end:])
		signed.macs.Put(m)
		if equal {
			return Valid
		}
		verdict = Mismatch // unless another secret has the same id
	}
	return verdict
}
