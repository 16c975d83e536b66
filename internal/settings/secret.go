package settings

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a password or a key. Whoever prints it, alone or inside of a printed value, prints ***
// instead; only Reveal tells it. The zero Secret is none.
//
// The text is behind a pointer because package fmt prints the unexported fields of a value without
// asking their methods.
type Secret struct{ text *string }

// hidden stands for a secret in everything that is printed.
const hidden = "***"

// NewSecret returns the Secret of a text; an empty text is no secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Given tells whether there is a secret.
func (s Secret) Given() bool { return s.text != nil }

// Reveal returns the text. Give it to the service that asks for it, and to nothing else.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String returns *** for a secret, and nothing for none.
func (s Secret) String() string {
	if s.Given() {
		return hidden
	}
	return ""
}

// Format implements fmt.Formatter: no verb prints the text, nor an address.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText implements encoding.TextMarshaler, which JSON and YAML use.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

var (
	_ fmt.Formatter  = Secret{}
	_ slog.LogValuer = Secret{}
)
