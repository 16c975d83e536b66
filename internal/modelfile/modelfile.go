// Package modelfile reads and writes the files of fit: a model, and the names of its classes if it has some.
package modelfile

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/clickloop/clickloop/model"
)

// classesMagic begins the file of a model whose classes have names: then come a line of them as JSON, a line with the SHA-256 of that one, and the model.
// It begins as a model's format of another version does, so that what reads models alone says so.
const classesMagic = "clickloop model of classes 1\n"

// Write writes a model with the names of its classes; without any it is the model alone.
func Write(w io.Writer, net *model.Net, classes []string) error {
	if len(classes) > 0 {
		names, err := json.Marshal(classes)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(names)
		if _, err := fmt.Fprintf(w, "%s%s\n%s\n", classesMagic, names, hex.EncodeToString(sum[:])); err != nil {
			return err
		}
	}
	_, err := net.WriteTo(w)
	return err
}

// Read reads what Write wrote.
func Read(in io.Reader) (*model.Net, []string, error) {
	r := bufio.NewReader(in)
	var classes []string
	if head, _ := r.Peek(len(classesMagic)); string(head) == classesMagic {
		_, _ = r.Discard(len(classesMagic))
		names, err := headerLine(r)
		if err != nil {
			return nil, nil, err
		}
		sum := sha256.Sum256(names)
		if err := json.Unmarshal(names, &classes); err != nil {
			return nil, nil, fmt.Errorf("%w: its line of classes is damaged: %w", model.ErrChecksum, err)
		}
		line, err := headerLine(r)
		if err != nil {
			return nil, nil, err
		}
		if string(line) != hex.EncodeToString(sum[:]) {
			return nil, nil, fmt.Errorf("%w: its line of classes is damaged", model.ErrChecksum)
		}
	}
	net, err := model.Read(r)
	if err != nil {
		return nil, nil, err
	}
	if c := net.Config(); len(classes) > 0 && (c.Output != "softmax" || c.Classes != len(classes)) {
		return nil, nil, fmt.Errorf("%w: it names %d classes, and its network has output %s of %d", model.ErrShape, len(classes), c.Output, c.Classes)
	}
	return net, classes, nil
}

func headerLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("%w: it ends in its line of classes", model.ErrChecksum)
	}
	return line[:len(line)-1], nil
}
