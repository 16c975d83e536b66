package export

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Places below the folder of a topic. Readers of folders leave out names with an underscore.
const (
	stateDir     = "_export"
	manifestName = stateDir + "/manifest.json"
	lockName     = stateDir + "/lock"
	tmpDir       = stateDir + "/tmp"
	commonName   = "_common_metadata"
)

// manifestVersion changes when an older program must not go on with a newer folder.
const manifestVersion = 1

// manifest says what a folder holds. To write it is to commit: files of a batch get their names
// after it, and offsets move with it.
type manifest struct {
	Version  int       `json:"version"`
	Topic    string    `json:"topic"`    // with the prefix
	TopicID  string    `json:"topic_id"` // a topic that is made again has another
	Cluster  string    `json:"cluster"`
	Format   Format    `json:"format"`
	By       By        `json:"by"`
	Envelope bool      `json:"envelope,omitempty"`
	From     time.Time `json:"from,omitzero"`
	To       time.Time `json:"to,omitzero"`

	Sequence int64     `json:"sequence"` // of the last batch
	Offsets  []int64   `json:"offsets"`  // by partition: all records before are done
	Rows     int64     `json:"rows"`
	Files    int64     `json:"files"`
	Bytes    int64     `json:"bytes"`
	Gaps     []Gap     `json:"gaps,omitempty"` // the first maxGaps
	Missing  int64     `json:"missing"`        // offsets in all gaps
	Columns  []found   `json:"columns,omitempty"`
	Pending  []pending `json:"pending,omitempty"` // of the last batch: they may still have to get their names
}

// pending is a file that gets its name once the manifest is written.
type pending struct {
	Temporary string `json:"temporary"`
	Name      string `json:"name"`
}

// Gap is a range of offsets that retention had deleted before they were read: From <= offset < To.
type Gap struct {
	Partition int   `json:"partition"`
	From      int64 `json:"from"`
	To        int64 `json:"to"`
}

// maxGaps bounds the gaps that are listed.
const maxGaps = 1000

func (m *manifest) addGap(g Gap) {
	m.Missing += g.To - g.From
	if len(m.Gaps) < maxGaps {
		m.Gaps = append(m.Gaps, g)
	}
}

// check refuses to go on with a folder that holds something else than want says.
func (m *manifest) check(want *manifest, dir string) error {
	differs := func(what string, is, wanted any) error {
		return fmt.Errorf("%s holds an export with %s %v, not %v: use another folder", dir, what, is, wanted)
	}
	switch {
	case m.Version > manifestVersion:
		return fmt.Errorf("%s is of a newer clickloop (its manifest has version %d, this one knows %d): use that, or another folder", dir, m.Version, manifestVersion)
	case m.Topic != want.Topic:
		return differs("topic", m.Topic, want.Topic)
	case m.Cluster != want.Cluster:
		return differs("Kafka cluster", m.Cluster, want.Cluster)
	case m.TopicID != want.TopicID:
		return fmt.Errorf("%s was deleted and made again: %s holds records of the topic with id %s, and its id is now %s: use another folder", m.Topic, dir, m.TopicID, want.TopicID)
	case m.Format != want.Format:
		return differs("--format", m.Format, want.Format)
	case m.By != want.By:
		return differs("--by", m.By, want.By)
	case m.Envelope != want.Envelope:
		return differs("--envelope", m.Envelope, want.Envelope)
	case !m.From.Equal(want.From):
		return differs("--from", shown(m.From), shown(want.From))
	case !m.To.Equal(want.To):
		return differs("--to", shown(m.To), shown(want.To))
	}
	return nil
}

func shown(t time.Time) string {
	if t.IsZero() {
		return "none"
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// open reads the manifest of the folder, or begins a new one, and ends what a killed process had
// committed.
func (d *disk) open(want *manifest) (*manifest, error) {
	b, err := os.ReadFile(d.path(manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.mustBeEmpty(); err != nil {
			return nil, err
		}
		m := *want
		return &m, d.sweep()
	}
	if err != nil {
		return nil, err
	}
	m := &manifest{}
	if err := stdjson.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w: it is not one that export wrote, so use another folder", d.path(manifestName), err)
	}
	if err := m.check(want, d.dir); err != nil {
		return nil, err
	}
	if err := d.publish(m.Pending); err != nil {
		return nil, err
	}
	m.Pending = nil
	return m, d.sweep()
}

// mustBeEmpty refuses a folder with data that no manifest tells of: they would stand beside ours.
func (d *disk) mustBeEmpty() error {
	files, err := filepath.Glob(d.path("hour=*/*"))
	if err == nil && len(files) > 0 {
		err = fmt.Errorf("%s has data, such as %s, and no manifest: use another folder", d.dir, filepath.Base(files[0]))
	}
	return err
}

// sweep removes the files of batches that were not committed.
func (d *disk) sweep() error {
	if err := d.before("sweep"); err != nil {
		return err
	}
	if err := os.RemoveAll(d.path(tmpDir)); err != nil {
		return err
	}
	return os.MkdirAll(d.path(tmpDir), 0o755)
}

// publish gives files of a committed batch their names. It may be repeated: a file that is not
// there has its name already.
func (d *disk) publish(files []pending) error {
	var left []pending
	for _, f := range files {
		if _, err := os.Stat(d.path(f.Temporary)); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		left = append(left, f)
		if err := d.makeFolder(filepath.Dir(f.Name)); err != nil {
			return err
		}
	}
	if len(left) > 0 {
		if err := d.syncFolder("."); err != nil {
			return err
		}
	}
	for _, f := range left {
		if err := d.rename(f.Temporary, f.Name); err != nil {
			return err
		}
	}
	return nil
}

// save makes m the manifest of the folder.
func (d *disk) save(m *manifest) error {
	return d.replace(manifestName, func(w io.Writer) error {
		encoder := stdjson.NewEncoder(w)
		encoder.SetIndent("", " ")
		return encoder.Encode(m)
	})
}
