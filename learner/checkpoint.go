package learner

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

// checkpointMagic begins a checkpoint file; the last digit is the format's version.
const checkpointMagic = "clickloop checkpoint 1\n"

// position is what a checkpoint says beside the network.
type position struct {
	Objective string         `json:"objective"`
	TopicID   string         `json:"topic_id"` // of the examples topic
	Next      int64          `json:"next"`     // offset of the first example not learned
	Marks     []event.Source `json:"marks"`    // highest prediction learned of each place
	Epoch     int64          `json:"epoch"`
}

// encodeCheckpoint is magic, length and JSON of the position, the network's full state, and the SHA-256 of all before it.
func encodeCheckpoint(p position, net *model.Net) ([]byte, error) {
	head, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(checkpointMagic)
	var n [4]byte
	binary.LittleEndian.PutUint32(n[:], uint32(len(head)))
	b.Write(n[:])
	b.Write(head)
	if _, err := net.WriteTo(&b); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b.Bytes())
	b.Write(sum[:])
	return b.Bytes(), nil
}

var errTorn = errors.New("its checksum does not match: it was not written whole, or was changed")

func decodeCheckpoint(b []byte) (position, *model.Net, error) {
	var p position
	if len(b) < len(checkpointMagic)+4+sha256.Size || string(b[:len(checkpointMagic)]) != checkpointMagic {
		return p, nil, errors.New("it is no checkpoint of this version")
	}
	body := b[:len(b)-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return p, nil, errTorn
	}
	body = body[len(checkpointMagic):]
	n := int(binary.LittleEndian.Uint32(body))
	if n > len(body)-4 {
		return p, nil, errTorn
	}
	if err := json.Unmarshal(body[4:4+n], &p); err != nil {
		return p, nil, err
	}
	net, err := model.Read(bytes.NewReader(body[4+n:]))
	return p, net, err
}

// files are where an objective's checkpoints are: the newest, and the one before.
type files struct{ newest, previous string }

func filesOf(dir, objective string) files {
	return files{filepath.Join(dir, objective+".checkpoint"), filepath.Join(dir, objective+".checkpoint.previous")}
}

// write replaces the newest checkpoint: a temporary file is written and synced, the newest becomes the previous, the temporary the newest, and the folder is
// synced. Killed at any point, one of the two is whole.
func (f files) write(b []byte) error {
	dir := filepath.Dir(f.newest)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make the folder of checkpoints: %w", err)
	}
	temporary := f.newest + ".temporary"
	if err := writeSynced(temporary, b); err != nil {
		return errors.Join(fmt.Errorf("cannot write checkpoint %s: %w", temporary, err), os.Remove(temporary))
	}
	if err := os.Rename(f.newest, f.previous); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot keep the previous checkpoint: %w", err)
	}
	if err := os.Rename(temporary, f.newest); err != nil {
		return fmt.Errorf("cannot put checkpoint %s in its place: %w", f.newest, err)
	}
	return syncDir(dir)
}

func writeSynced(path string, b []byte) error {
	w, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return errors.Join(err, w.Sync(), w.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// read returns the newest checkpoint that is whole. found is false when there is none; problems tells of files that could not be used.
func (f files) read() (p position, net *model.Net, from string, problems []error) {
	for _, path := range []string{f.newest, f.previous} {
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			if p, net, err = decodeCheckpoint(b); err == nil {
				return p, net, path, problems
			}
		}
		problems = append(problems, fmt.Errorf("cannot use checkpoint %s: %w", path, err))
	}
	return position{}, nil, "", problems
}
