package model

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/clickloop/clickloop/model/internal/codec"
)

const fileMagic = "clickloop model 4\n"

// Hash is the SHA-256 of the whole learned state in its canonical encoding, configuration included.
// Nets with one hash go on alike.
func (n *Net) Hash() [32]byte {
	e := codec.NewWriter(nil, "")
	stateWriter{n.core, e, true}.write()
	sum, _, _ := e.Close()
	return sum
}

// WriteTo writes the whole state: a line that names the format, the canonical encoding, and its
// SHA-256.
func (n *Net) WriteTo(w io.Writer) (int64, error) {
	return writeFile(w, func(e *codec.Encoder) { stateWriter{n.core, e, true}.write() })
}

func writeFile(w io.Writer, write func(*codec.Encoder)) (int64, error) {
	e := codec.NewWriter(w, fileMagic)
	write(e)
	_, n, err := e.Close()
	if err != nil {
		return n, fmt.Errorf("cannot write the model: %w", err)
	}
	return n, nil
}

// Read reads what WriteTo wrote. The net goes on as the one that was written, bit for bit. Errors:
// ErrNotModel, ErrChecksum, ErrShape.
func Read(r io.Reader) (*Net, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("cannot read the model: %w", err)
	}
	body, err := openFile(b)
	if err != nil {
		return nil, fmt.Errorf("cannot read the model: %w", err)
	}
	c, err := readState(codec.NewDecoder(body), true)
	if err != nil {
		return nil, fmt.Errorf("cannot read the model: %w", err)
	}
	return &Net{core: c}, nil
}

// openFile checks the format and the checksum of a file, and returns what is between them.
func openFile(b []byte) ([]byte, error) {
	if !bytes.HasPrefix(b, []byte(fileMagic)) {
		if rest, ok := bytes.CutPrefix(b, []byte("clickloop model ")); ok {
			version, _, _ := bytes.Cut(rest[:min(len(rest), 16)], []byte("\n"))
			return nil, fmt.Errorf("%w: its format is version %q, this program reads version 4: learn its examples again, "+
				"or use the release that wrote it", ErrShape, version)
		}
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrNotModel, fileMagic[:len(fileMagic)-1])
	}
	if b = b[len(fileMagic):]; len(b) < sha256.Size {
		return nil, fmt.Errorf("%w: it ends early", ErrChecksum)
	}
	body := b[:len(b)-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return nil, fmt.Errorf("%w: it was damaged or cut short", ErrChecksum)
	}
	return body, nil
}
