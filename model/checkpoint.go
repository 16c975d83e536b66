package model

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
)

const fileMagic = "clickloop model 4\n"

// Hash is the SHA-256 of the whole learned state in its canonical encoding, configuration included.
// Nets with one hash go on alike.
func (n *Net) Hash() (sum [32]byte) {
	e := &enc{sum: sha256.New()}
	n.encodeState(e, true)
	e.spill(1)
	copy(sum[:], e.sum.Sum(nil))
	return sum
}

// WriteTo writes the whole state: a line that names the format, the canonical encoding, and its
// SHA-256.
func (n *Net) WriteTo(w io.Writer) (int64, error) {
	k, err := io.WriteString(w, fileMagic)
	if err != nil {
		return int64(k), fmt.Errorf("cannot write the model: %w", err)
	}
	e := &enc{w: w, sum: sha256.New(), n: int64(k)}
	n.encodeState(e, true)
	e.spill(1)
	if e.err == nil {
		k, e.err = w.Write(e.sum.Sum(nil))
		e.n += int64(k)
	}
	if e.err != nil {
		return e.n, fmt.Errorf("cannot write the model: %w", e.err)
	}
	return e.n, nil
}

// Read reads what WriteTo wrote. The net goes on as the one that was written, bit for bit. Errors:
// ErrNotModel, ErrChecksum, ErrShape.
func Read(r io.Reader) (*Net, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("cannot read the model: %w", err)
	}
	if !bytes.HasPrefix(b, []byte(fileMagic)) {
		if rest, ok := bytes.CutPrefix(b, []byte("clickloop model ")); ok {
			version, _, _ := bytes.Cut(rest[:min(len(rest), 16)], []byte("\n"))
			return nil, fmt.Errorf("cannot read the model: %w: its format is version %q, this program reads version 4: learn its examples again, "+
				"or use the release that wrote it", ErrShape, version)
		}
		return nil, fmt.Errorf("cannot read the model: %w: it does not begin with %q", ErrNotModel, fileMagic[:len(fileMagic)-1])
	}
	if b = b[len(fileMagic):]; len(b) < sha256.Size {
		return nil, fmt.Errorf("cannot read the model: %w: it ends early", ErrChecksum)
	}
	body := b[:len(b)-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return nil, fmt.Errorf("cannot read the model: %w: it was damaged or cut short", ErrChecksum)
	}
	d := &dec{b: body}
	c := decodeState(d, true)
	if d.err != nil {
		return nil, fmt.Errorf("cannot read the model: %w", d.err)
	}
	return &Net{core: *c}, nil
}
