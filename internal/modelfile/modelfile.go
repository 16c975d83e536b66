// Package modelfile reads and writes the files of fit: a model, and what its predictions need
// beside the weights: the names of its classes, and how fit has read the columns of its files.
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

// A file begins with a line of magic, a line of JSON and a line with the SHA-256 of that, when
// there is anything to say about its model. Then comes the model. To a reader of plain models, the
// magic looks like another version of their format, and its error says so. The JSON of the older
// magic is a list of classes.
const (
	aboutMagic   = "clickloop model of files 1\n"
	classesMagic = "clickloop model of classes 1\n"
)

// About is what a file says about its model.
type About struct {
	Classes  []string `json:"classes,omitempty"`  // names of a softmax's outputs
	Label    string   `json:"label,omitempty"`    // column of the labels
	Positive []string `json:"positive,omitempty"` // its values that mean yes
	Drop     []string `json:"drop,omitempty"`     // columns that are no inputs
	Columns  []Column `json:"columns,omitempty"`  // the inputs, in the order of the files
}

// Column is a column and how its cells are read; see package table.
type Column struct {
	Name string `json:"name"`
	Read string `json:"read,omitempty"`
	Form string `json:"form,omitempty"` // of dates
}

func (a *About) empty() bool { return len(a.Classes) == 0 && a.Label == "" && len(a.Columns) == 0 }

// Write writes a model and what is to be said about it: the model alone when about is empty.
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

// readLine reads a line of JSON and the line with its checksum.
func readLine(r *bufio.Reader, target any) error {
	line, err := r.ReadBytes('\n')
	sum, sumErr := r.ReadBytes('\n')
	if err != nil || sumErr != nil {
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
