// Package modelfile reads and writes the files of fit: a model, and what predictions by it need
// beside its weights: the names of its classes, and how the columns of its files were read.
package modelfile

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/clickloop/clickloop/model"
)

// A file with anything to say about its model begins with a line of magic, one of JSON and one with
// the SHA-256 of that; then comes the model. The magic begins as a model's format of another
// version does, so that what reads models alone says so. The older one has a list of classes as its
// JSON.
const (
	aboutMagic   = "clickloop model of files 1\n"
	classesMagic = "clickloop model of classes 1\n"
)

// About is what a file says about its model.
type About struct {
	Classes  []string `json:"classes,omitempty"` // of a softmax
	Label    string   `json:"label,omitempty"`   // column
	Positive []string `json:"positive,omitempty"`
	Drop     []string `json:"drop,omitempty"`
	Columns  []Column `json:"columns,omitempty"` // inputs, in the order of the files
}

// Column is a column and how its cells are read, see package table.
type Column struct {
	Name string `json:"name"`
	Read string `json:"read,omitempty"`
	Form string `json:"form,omitempty"` // of dates
}

func (a *About) empty() bool { return len(a.Classes) == 0 && a.Label == "" && len(a.Columns) == 0 }

// Write writes a model with what is to be said about it; where that is nothing, it is the model
// alone.
func Write(w io.Writer, net *model.Net, about About) error {
	if !about.empty() {
		line, err := json.Marshal(&about)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(line)
		if _, err := fmt.Fprintf(w, "%s%s\n%s\n", aboutMagic, line, hex.EncodeToString(sum[:])); err != nil {
			return err
		}
	}
	_, err := net.WriteTo(w)
	return err
}

// Read reads what Write wrote.
func Read(in io.Reader) (*model.Net, About, error) {
	r := bufio.NewReader(in)
	var about About
	for magic, target := range map[string]any{aboutMagic: &about, classesMagic: &about.Classes} {
		if head, _ := r.Peek(len(magic)); string(head) != magic {
			continue
		}
		_, _ = r.Discard(len(magic))
		if err := readLine(r, target); err != nil {
			return nil, About{}, fmt.Errorf("%w: its line about the model %w", model.ErrChecksum, err)
		}
		break
	}
	net, err := model.Read(r)
	if err != nil {
		return nil, About{}, err
	}
	if c := net.Config(); len(about.Classes) > 0 && (c.Output != "softmax" || c.Classes != len(about.Classes)) {
		return nil, About{}, fmt.Errorf("%w: it names %d classes, and its network has output %s of %d", model.ErrShape, len(about.Classes), c.Output, c.Classes)
	}
	return net, about, nil
}

// readLine reads a line of JSON and the one with its checksum.
func readLine(r *bufio.Reader, target any) error {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return errors.New("is cut short")
	}
	sum, err := r.ReadBytes('\n')
	if err != nil {
		return errors.New("is cut short")
	}
	line = line[:len(line)-1]
	want := sha256.Sum256(line)
	if !bytes.Equal(bytes.TrimSuffix(sum, []byte("\n")), []byte(hex.EncodeToString(want[:]))) {
		return errors.New("is damaged")
	}
	if err := json.Unmarshal(line, target); err != nil {
		return fmt.Errorf("is damaged: %w", err)
	}
	return nil
}
