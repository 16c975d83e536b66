// Package inspect shows, compares and verifies learned models, for the command model. A model is a
// learner's checkpoint, a file of fit, or the weights on a model topic. Nothing here changes a
// model or a topic.
package inspect

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/learner"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// Kinds of models, by their source.
const (
	KindCheckpoint = "checkpoint" // of a learner
	KindFile       = "file"       // of fit --out
	KindTopic      = "topic"      // the weights that scorers serve
)

// Model is a model that was read from its source.
type Model struct {
	Source    string
	Kind      string
	Objective string         // empty for a file of fit
	Key       string         // the network's NetworkKey
	State     *learner.State // nil for a topic, which holds only the served weights
	Weights   *model.Replica // the served weights

	Epoch      int64
	Snapshot   []byte // the last one on the topic, or one that is made of the file
	SnapshotAt int64  // examples in Snapshot
	Deltas     int    // on the topic after the snapshot
	DeltaBytes int64
	Records    int64 // on the topic, of the snapshot and the deltas
}

// Open reads a model. name is a file, a network key such as click or click.plain, or a topic
// model.<key>. Open calls client only for a topic.
func Open(ctx context.Context, name string, client func() (*stream.Client, error)) (*Model, error) {
	if _, err := os.Stat(name); err == nil {
		return openFile(name)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key := strings.TrimPrefix(name, event.TopicModel(""))
	if strings.ContainsAny(key, "/\\ ") || strings.Count(key, ".") > 1 {
		return nil, fmt.Errorf("%s: there is no such file, and an objective has no such name", name)
	}
	c, err := client()
	if err != nil {
		return nil, fmt.Errorf("%s is no file; to look for the objective of that name: %w", name, err)
	}
	return openTopic(ctx, key, c)
}

func openFile(path string) (*Model, error) {
	s, err := learner.ReadState(path)
	if err != nil {
		return nil, err
	}
	m := &Model{Source: path, Kind: KindFile, Objective: s.Objective(), Key: event.NetworkKey(s.Objective(), s.Network()), State: s, Epoch: s.Epoch(), Weights: model.NewReplica()}
	if m.Objective != "" {
		m.Kind = KindCheckpoint
	}
	m.Snapshot, m.SnapshotAt = s.Net().AppendSnapshot(nil), s.Net().Examples()
	return m, m.Weights.Apply(m.Snapshot)
}

func openTopic(ctx context.Context, key string, client *stream.Client) (*Model, error) {
	topic := event.TopicModel(key)
	if err := client.CheckTopic(ctx, stream.Topic{Name: topic, Partitions: 1}); err != nil {
		return nil, fmt.Errorf("cannot read the weights of %q: %w", key, err)
	}
	at, end, err := weights.LastSnapshot(ctx, client, key)
	if err != nil {
		return nil, err
	}
	m := &Model{Source: client.Prefix() + topic, Kind: KindTopic, Objective: event.KeyObjective(key), Key: key, Weights: model.NewReplica(), Records: end - at}
	err = weights.Each(ctx, client, key, at, end, func(w weights.Message) error {
		if w.Kind == weights.Snapshot {
			m.Snapshot, m.SnapshotAt, m.Epoch = bytes.Join(w.Body, nil), w.To, w.Epoch
			m.Deltas, m.DeltaBytes = 0, 0
		} else {
			m.Deltas++
			m.DeltaBytes += int64(w.Size())
		}
		return m.Weights.Apply(w.Body...)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the weights on %s: %w", m.Source, err)
	}
	if m.Snapshot == nil {
		return nil, fmt.Errorf("there is no whole snapshot on %s: has a learner of %q run?", m.Source, key)
	}
	return m, nil
}

// Version returns the model's name, such as click@184203.
func (m *Model) Version() string {
	return event.ModelVersion(cmp.Or(m.Key, "model"), m.Weights.Examples())
}

// Hash returns the hash of the whole learned state, or "" for a topic.
func (m *Model) Hash() string {
	if m.State == nil {
		return ""
	}
	return learner.WeightsHash(m.State.Net())
}

// SnapshotHash returns the hash of Snapshot. Processes with the same served weights have the same.
func (m *Model) SnapshotHash() string {
	sum := sha256.Sum256(m.Snapshot)
	return "sha256:" + hex.EncodeToString(sum[:])
}
