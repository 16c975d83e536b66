package inbound

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"net/url"
	"slices"
	"strings"
)

// formFields are the fields of a form that may hold the JSON, plain or in base64. The first that
// does is read.
var formFields = []string{"data", "payload", "events", "batch", "body", "json", "e"}

// accepted ends the refusal of a body that is no JSON.
const accepted = "expected JSON, JSON lines, or a form whose field data or payload holds JSON, plain or in base64"

// unwrap finds the JSON in a body that does not begin as JSON does. A body whose content type is
// JSON or plain text is returned as it is: its reader will name the byte that is wrong.
func unwrap(text []byte, contentType string, read Limited) ([]byte, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return text, nil
	}
	kind, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil, kind == "text/plain", kind == "application/octet-stream", strings.Contains(kind, "json"):
		return text, nil
	case kind == "application/x-www-form-urlencoded":
		return formJSON(text, read)
	}
	return nil, &Unsupported{fmt.Sprintf("has the content type %.60s; %s", kind, accepted)}
}

func formJSON(text []byte, read Limited) ([]byte, error) {
	form, err := url.ParseQuery(string(text))
	if err == nil {
		for _, name := range formFields {
			if value := form.Get(name); value != "" {
				if b := decoded(value); b != nil {
					return read(bytes.NewReader(b))
				}
			}
		}
		for name, values := range form { // JSON alone, escaped as a form is
			if len(form) == 1 && strings.Join(values, "") == "" && isText([]byte(name)) {
				return read(strings.NewReader(name))
			}
		}
	}
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, shown(name))
	}
	slices.Sort(names)
	return nil, &Unsupported{fmt.Sprintf("is a form (application/x-www-form-urlencoded) with the fields %.200s; %s", strings.Join(names, ", "), accepted)}
}

// decoded returns the JSON of a form's field, nil when it holds none.
func decoded(value string) []byte {
	if isText([]byte(value)) {
		return []byte(value)
	}
	// a plus that was not escaped has become a space
	value = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/", " ", "+").Replace(value), "=")
	if b, err := base64.RawStdEncoding.DecodeString(value); err == nil && isText(b) {
		return b
	}
	return nil
}
