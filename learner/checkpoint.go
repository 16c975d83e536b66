package learner

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

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
	Epoch     int64          `json:"epoch"`    // of the messages of weights
}

// appendCheckpoint writes a checkpoint but its checksum: magic, length and JSON of the position, and the network's full state. It is all that learning
// has to wait for.
func appendCheckpoint(b *bytes.Buffer, p position, net *model.Net) error {
	head, err := json.Marshal(p)
	if err != nil {
		return err
	}
	b.WriteString(checkpointMagic)
	b.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(head))))
	b.Write(head)
	_, err = net.WriteTo(b)
	return err
}

// seal appends the SHA-256 of all before it, which makes b a checkpoint.
func seal(b *bytes.Buffer) {
	sum := sha256.Sum256(b.Bytes())
	b.Write(sum[:])
}

var errTorn = errors.New("its checksum does not match: it was not written whole, or was changed")

func decodeCheckpoint(b []byte) (position, *model.Net, error) {
	var p position
	if len(b) < len(checkpointMagic)+4+sha256.Size || string(b[:len(checkpointMagic)]) != checkpointMagic {
		return p, nil, fmt.Errorf("it does not begin as a checkpoint of this version does (%q)", checkpointMagic[:len(checkpointMagic)-1])
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
		return p, nil, fmt.Errorf("cannot read its position: %w", err)
	}
	net, err := model.Read(bytes.NewReader(body[4+n:]))
	if err != nil {
		return p, nil, fmt.Errorf("cannot read its network: %w", err)
	}
	return p, net, nil
}

// sameConfig says whether two configurations of a model are the same: an empty list is the same as none.
func sameConfig(a, b model.Config) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	null, none := []byte("null"), []byte("[]")
	return errX == nil && errY == nil && bytes.Equal(bytes.ReplaceAll(x, null, none), bytes.ReplaceAll(y, null, none))
}
