package modelfile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/clickloop/clickloop/model"
)

func TestAModelOfClassesKeepsTheirNamesOrIsRefused(t *testing.T) {
	names := []string{"größe, \"m\"", "b\nc", "3"}
	c := model.DefaultConfig()
	c.Network, c.Output, c.Classes = []string{"linear"}, "softmax", len(names)
	net, err := model.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := net.LearnClass([]model.Feature{{Field: 1, Hash: 2, Value: 1}}, 2, 1, net.NewScratch()); err != nil {
		t.Fatal(err)
	}
	var whole bytes.Buffer
	if err := Write(&whole, net, About{Classes: names}); err != nil {
		t.Fatal(err)
	}
	back, got, err := Read(bytes.NewReader(whole.Bytes()))
	if err != nil || !reflect.DeepEqual(got.Classes, names) || back.Hash() != net.Hash() {
		t.Fatalf("read back %q, %v", got, err)
	}
	body := bytes.LastIndex(whole.Bytes(), []byte("clickloop model 4\n"))
	for i := range body {
		damaged := bytes.Clone(whole.Bytes())
		damaged[i] ^= 4
		if _, names, err := Read(bytes.NewReader(damaged)); err == nil {
			t.Errorf("byte %d damaged: read with classes %q", i, names)
		}
		if _, _, err := Read(bytes.NewReader(damaged[:i])); err == nil {
			t.Errorf("cut at byte %d: read", i)
		}
	}
	if _, err := model.Read(bytes.NewReader(whole.Bytes())); !errors.Is(err, model.ErrShape) {
		t.Errorf("what reads models alone says %v", err)
	}
	whole.Reset()
	if err := Write(&whole, net, About{Classes: names[:2]}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Read(&whole); !errors.Is(err, model.ErrShape) {
		t.Errorf("two names of three classes: %v", err)
	}
	whole.Reset()
	if err := Write(&whole, net, About{}); err != nil {
		t.Fatal(err)
	}
	if _, got, err := Read(&whole); err != nil || got.Classes != nil {
		t.Errorf("without names: %v, %v", got, err)
	}
}

// What a file says about its model comes back; files that say nothing, or name classes as before,
// are read too.
func TestWhatIsSaidAboutAModelComesBack(t *testing.T) {
	c := model.DefaultConfig()
	c.Network, c.Output, c.Classes = []string{"linear"}, "softmax", 2
	net, err := model.New(c)
	if err != nil {
		t.Fatal(err)
	}
	about := About{
		Classes: []string{"a", "b"}, Label: "größe", Positive: []string{">1"}, Drop: []string{"x"},
		Columns: []Column{{Name: "posted", Read: "date", Form: "iso"}, {Name: "price"}},
	}
	var file bytes.Buffer
	if err := Write(&file, net, about); err != nil {
		t.Fatal(err)
	}
	whole := bytes.Clone(file.Bytes())
	back, got, err := Read(&file)
	if err != nil || !reflect.DeepEqual(got, about) || back.Hash() != net.Hash() {
		t.Fatalf("read back %+v, %v", got, err)
	}
	for i := range bytes.Index(whole, []byte("clickloop model 3\n")) {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 4
		if _, got, err := Read(bytes.NewReader(damaged)); err == nil {
			t.Errorf("byte %d damaged: read as %+v", i, got)
		}
	}
	names := `["a","b"]`
	var old bytes.Buffer
	fmt.Fprintf(&old, "%s%s\n%x\n", classesMagic, names, sha256.Sum256([]byte(names)))
	if _, err := net.WriteTo(&old); err != nil {
		t.Fatal(err)
	}
	if _, got, err := Read(&old); err != nil || !reflect.DeepEqual(got, About{Classes: []string{"a", "b"}}) {
		t.Errorf("of before: %+v, %v", got, err)
	}
}
