package settings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// A secret is printed alone, in a struct, behind a pointer and in an unexported field, by every
// verb and encoding.
func TestASecretIsPrintedByNothing(t *testing.T) {
	type section struct {
		Password Secret
		hidden   Secret
		list     []Secret
	}
	secret := NewSecret("hunter2")
	in := section{secret, secret, []Secret{secret}}
	var texts []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T"} {
		for _, value := range []any{secret, &secret, in, &in, []section{in}, map[string]Secret{"a": secret}, struct{ inner section }{in}} {
			texts = append(texts, fmt.Sprintf(verb, value))
		}
	}
	for _, encode := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		b, err := encode(map[string]any{"secret": secret, "in": in, "keyed": map[string]Secret{"a": secret}})
		if err != nil || !bytes.Contains(b, []byte("***")) {
			t.Errorf("%s, %v", b, err)
		}
		texts = append(texts, string(b))
	}
	var log strings.Builder
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("started", "secret", secret, "in", in, "at", &in)
	}
	texts = append(texts, log.String(), fmt.Errorf("cannot use %w, %v", fmt.Errorf("%v", in), secret).Error())
	func() {
		defer func() { texts = append(texts, fmt.Sprint(recover())) }()
		panic(in)
	}()
	for _, text := range texts {
		if strings.Contains(text, "hunter2") || strings.Contains(strings.ToLower(text), "68756e74657232") || text == "" {
			t.Errorf("it is printed as %s", text)
		}
	}
	if got := secret.Reveal(); got != "hunter2" {
		t.Errorf("it reveals %q", got)
	}
	if none := NewSecret(""); none.Given() || none.Reveal() != "" || none.String() != "" || none != (Secret{}) {
		t.Errorf("no secret is %q", none.Reveal())
	}
}
