package model

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"
)

func TestReadSaysWhatIsWrong(t *testing.T) {
	n := mustNew(t, nil)
	xs, ys := stream(20, 50)
	mustLearn(t, n, xs, ys)
	var b bytes.Buffer
	n.WriteTo(&b)
	file := b.Bytes()
	with := func(change func([]byte) []byte) []byte { return change(bytes.Clone(file)) }
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"empty":           {nil, ErrNotModel},
		"text":            {[]byte("hello, this is not it"), ErrNotModel},
		"another version": {with(func(b []byte) []byte { b[16] = '9'; return b }), ErrShape},
		"cut":             {file[:len(file)/2], ErrChecksum},
		"only a head":     {file[:20], ErrChecksum},
		"a flipped bit":   {with(func(b []byte) []byte { b[len(b)/2] ^= 4; return b }), ErrChecksum},
		"a longer body":   {resum(append(bytes.Clone(file[:len(file)-32]), 1, 2, 3)), ErrShape},
	} {
		if _, err := Read(bytes.NewReader(c.file)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// resum gives a file without a checksum its own.
func resum(b []byte) []byte {
	sum := sha256.Sum256(b[min(len(b), len(fileMagic)):])
	return append(b, sum[:]...)
}

func FuzzReadNeverPanics(f *testing.F) {
	for _, network := range [][]string{nil, {"linear", "ffm", "mlp"}} {
		n := mustNew(f, func(c *Config) { c.TableBits, c.MaxFields, c.Network = 8, 8, network })
		xs, ys := stream(21, 6)
		mustLearn(f, n, xs, ys)
		var b bytes.Buffer
		n.WriteTo(&b)
		f.Add(b.Bytes()[:b.Len()-32])
	}
	xs, ys := stream(22, 20)
	f.Fuzz(func(t *testing.T, file []byte) {
		n, err := Read(bytes.NewReader(resum(bytes.Clone(file))))
		if err != nil || len(n.Config().MLP.Layers) > 3 || n.Config().TableBits > 12 {
			return
		}
		s := n.NewScratch()
		for i := range xs {
			n.Learn(xs[i], ys[i], 1, s)
		}
	})
}
