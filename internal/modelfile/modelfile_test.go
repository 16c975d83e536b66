package modelfile

import (
	"bytes"
	"errors"
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
	if err := Write(&whole, net, names); err != nil {
		t.Fatal(err)
	}
	back, got, err := Read(bytes.NewReader(whole.Bytes()))
	if err != nil || !reflect.DeepEqual(got, names) || back.Hash() != net.Hash() {
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
	if err := Write(&whole, net, names[:2]); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Read(&whole); !errors.Is(err, model.ErrShape) {
		t.Errorf("two names of three classes: %v", err)
	}
	whole.Reset()
	if err := Write(&whole, net, nil); err != nil {
		t.Fatal(err)
	}
	if _, got, err := Read(&whole); err != nil || got != nil {
		t.Errorf("without names: %v, %v", got, err)
	}
}
