// Package field names what is wrong with a value: the field, what it holds, and what is allowed.
//
// Configurations, requests and records all report by its Error. A reader of a file can therefore
// add the line (see internal/settings), and a server can answer with the field's name, without
// knowing which package refused the value.
package field

import (
	"errors"
	"fmt"
	"strings"
)

// Error says why a value is refused. Field is the path of what is wrong, such as
// "candidates[3].ad", and is empty when it is the whole value; Reason goes on from it: "is 0, want
// at least 1".
type Error struct {
	Field  string
	Reason string
}

// Error joins Field and Reason to a sentence.
func (e *Error) Error() string {
	if e.Field == "" {
		return "the value " + e.Reason
	}
	return e.Field + " " + e.Reason
}

// Wrong returns an *Error about the field at path.
func Wrong(path, format string, args ...any) error {
	return &Error{Field: path, Reason: fmt.Sprintf(format, args...)}
}

// Within puts a section's path before the field that err names. It returns any other error as it
// is, and nil for nil.
func Within(section string, err error) error {
	var wrong *Error
	if !errors.As(err, &wrong) {
		return err
	}
	return &Error{Field: strings.TrimSuffix(section+"."+wrong.Field, "."), Reason: wrong.Reason}
}
