package model

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/model/internal/codec"
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

// What another release wrote is refused with the version that it has, and what to do.
func TestAnotherReleasesFormatIsNamed(t *testing.T) {
	n := mustNew(t, nil)
	var b bytes.Buffer
	n.WriteTo(&b)
	file := bytes.Replace(b.Bytes(), []byte(fileMagic), []byte("clickloop model 3\n"), 1)
	if _, err := Read(bytes.NewReader(file)); !errors.Is(err, ErrShape) || !strings.Contains(err.Error(), `version "3", this program reads version 4: learn its examples again`) {
		t.Errorf("a file: %v", err)
	}
	for _, magic := range []string{"CLS3", "CLD3"} {
		message := n.AppendSnapshot(nil)
		message = codec.Seal(append([]byte(magic), message[4:len(message)-4]...), 0)
		want := fmt.Sprintf("its format is %q, this program reads CLS4 and CLD4", magic)
		if err := NewReplica().Apply(message); !errors.Is(err, ErrShape) || !strings.Contains(err.Error(), want) {
			t.Errorf("a message: %v", err)
		}
		l := StartLoading(len(message))
		l.Add(message)
		l.End()
		if _, err := l.Replica(); !errors.Is(err, ErrShape) || !strings.Contains(err.Error(), want) {
			t.Errorf("a message as it comes: %v", err)
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
