package config

import (
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheSignKeyIsAFileOrAVariable(t *testing.T) {
	const inFile, inVariable = "the secret of the file", "the secret of the variable"
	dir := t.TempDir()
	keys, with, without := filepath.Join(dir, "keys"), filepath.Join(dir, "with.yaml"), filepath.Join(dir, "without.yaml")
	for path, text := range map[string]string{keys: inFile, with: "feedback:\n  sign_key: " + keys + "\n", without: "{}\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []struct{ file, variable, want string }{
		{without, "", "none"}, {with, "", "keys"}, {without, inVariable, "keys"},
		{with, inVariable, "with.yaml:2: feedback.sign_key is \"" + keys + "\", and CLICKLOOP_SIGN_KEY is set too"},
		{without, "short", "the variable CLICKLOOP_SIGN_KEY has 5 bytes in line 1"},
	} {
		t.Setenv("CLICKLOOP_SIGN_KEY", x.variable)
		common := CommonFlags(flag.NewFlagSet("", flag.ContinueOnError))
		common.File = x.file
		cfg, err := common.Load()
		got := "none"
		if err == nil {
			ring, e := cfg.SignKeys(slog.New(slog.DiscardHandler))
			if err = e; ring != nil {
				got = "keys"
			}
		}
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, x.want) || strings.Contains(got, inVariable) || strings.Contains(got, "short") {
			t.Errorf("%s and %q: %s, want %s", filepath.Base(x.file), x.variable, got, x.want)
		}
	}
	cfg := Default()
	cfg.Feedback.SignKey = filepath.Join(dir, "none")
	t.Setenv("CLICKLOOP_SIGN_KEY", "")
	if _, err := cfg.SignKeys(slog.New(slog.DiscardHandler)); err == nil || !strings.HasPrefix(err.Error(), "feedback.sign_key cannot be read: ") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestALimitOfAgeThatContradictsAHoldIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"ingest: {max_age: {click: 1h}}":                                       "",
		"ingest: {max_age: {click: 1h}}\nfeedback: {guard: {hold: true}}":      "f.yaml:1: ingest.max_age lets click events be 1h0m0s old",
		"ingest: {max_age: {\"*\": 1h}}\nfeedback: {guard: {hold: true}}":      "ingest.max_age lets click events",
		"ingest: {max_age: {page: 1h}}\nfeedback: {guard: {hold: true}}":       "",
		"ingest: {max_age: {click: 24h}}\nfeedback: {guard: {hold: true}}":     "",
		"ingest: {max_age: {click: 1h}}\nfeedback: {guard: {hold: false}}":     "",
		"ingest: {max_age: {impression: 2h}}\nfeedback: {guard: {hold: true}}": "lets impression events be 2h0m0s old",
	} {
		_, err := Parse("f.yaml", []byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
