package learner

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

// checkpointMagic begins a checkpoint file; its last digit is the version of the format.
const checkpointMagic = "clickloop checkpoint 2\n"

// position is the part of a checkpoint that is not the network.
type position struct {
	Objective string         `json:"objective"`
	Network   string         `json:"network,omitempty"` // empty: the default one
	TopicID   string         `json:"topic_id"`          // of the examples topic
	Next      int64          `json:"next"`              // offset of the first example not learned
	Marks     []event.Source `json:"marks"`             // highest prediction learned, by its partition
	Epoch     int64          `json:"epoch"`             // of the learner that wrote it
	// progressive validation: the block under way, and those that are not on the topic yet
	Block  block   `json:"block"`
	Blocks []block `json:"blocks,omitempty"`
}

// writeCheckpoint writes magic, length and JSON of the position, the SHA-256 of these, and the
// network's whole state, which ends with a checksum of its own.
func writeCheckpoint(w io.Writer, p position, state io.WriterTo) error {
	head, err := json.Marshal(p)
	if err != nil {
		return err
	}
	b := binary.LittleEndian.AppendUint32([]byte(checkpointMagic), uint32(len(head)))
	b = append(b, head...)
	sum := sha256.Sum256(b)
	if _, err := w.Write(append(b, sum[:]...)); err != nil {
		return err
	}
	_, err = state.WriteTo(w)
	return err
}

var errTorn = errors.New("its checksum does not match: it was not written whole, or was changed")

func decodeCheckpoint(b []byte) (position, *model.Net, error) {
	var p position
	const fixed = len(checkpointMagic) + 4
	if len(b) < fixed || string(b[:len(checkpointMagic)]) != checkpointMagic {
		return p, nil, fmt.Errorf("it does not begin as a checkpoint of this version does (%q)", checkpointMagic[:len(checkpointMagic)-1])
	}
	end := fixed + int(binary.LittleEndian.Uint32(b[len(checkpointMagic):]))
	if end+sha256.Size > len(b) || sha256.Sum256(b[:end]) != [sha256.Size]byte(b[end:end+sha256.Size]) {
		return p, nil, errTorn
	}
	if err := json.Unmarshal(b[fixed:end], &p); err != nil {
		return p, nil, fmt.Errorf("cannot read its position: %w", err)
	}
	net, err := model.Read(bytes.NewReader(b[end+sha256.Size:]))
	if err != nil {
		return p, nil, fmt.Errorf("cannot read its network: %w", err)
	}
	return p, net, nil
}
