// Package settings decodes YAML into a struct that holds defaults. Its errors are for the person
// who writes the file.
//
// An error names file, line, setting, value, and what is allowed, and suggests the nearest name for
// a misspelt one. One error reports all mistakes. A setting without a value keeps its default.
// Durations take every unit from ms to w.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// File is a decoded YAML text.
type File struct {
	name  string
	text  []byte
	lines map[string]int // by path, such as objectives[1].window
}

// Problem is one mistake in a file. Its Field is empty when the file names a setting that does not
// exist.
type Problem struct {
	field.Error
	Kind bool // the value has another kind than the setting

	line, column int
}

// sentence returns the mistake without its place.
func (p *Problem) sentence() string {
	if p.Field == "" {
		return p.Reason
	}
	return p.Error.Error()
}

// Defaulter is a map whose values start from a default.
type Defaulter interface {
	// Default returns the value that a value of the map is decoded into.
	Default() any
}

// Shorthand is a section that a file may give as a text.
type Shorthand interface{ Short(text string) }

// Read decodes text into target, a pointer to a struct. It decodes all it can, even when it returns
// problems. Errors call the file by name.
func Read(name string, text []byte, target any) (*File, []*Problem, error) {
	f := &File{name: name, text: text, lines: map[string]int{}}
	if len(bytes.TrimSpace(text)) == 0 {
		return f, nil, nil
	}
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, nil, f.syntax(err)
	}
	d := decoder{file: f, anchors: map[string]ast.Node{}}
	whole := 0
	for _, doc := range parsed.Docs {
		if _, comment := doc.Body.(*ast.CommentGroupNode); doc.Body == nil || comment {
			continue
		}
		if whole++; whole > 1 {
			return nil, nil, fmt.Errorf("%s:%d: a second document begins here, want one in a file", name, line(doc.Body))
		}
		d.value("", doc.Body, reflect.ValueOf(target).Elem())
	}
	return f, d.problems, nil
}

// syntax returns the error of a text that is no YAML.
func (f *File) syntax(err error) error {
	var wrong yaml.Error
	if !errors.As(err, &wrong) || wrong.GetToken() == nil {
		return fmt.Errorf("%s: %s", f.name, Redact(err.Error()))
	}
	at := wrong.GetToken().Position
	return fmt.Errorf("%s:%d:%d: %s%s", f.name, at.Line, at.Column, Redact(wrong.GetMessage()), f.excerpt(at.Line, at.Column))
}

// Error joins problems, each with its place in the file and the text of its line.
func (f *File) Error(problems []*Problem) error {
	const most = 10
	var texts []string
	for i, p := range problems {
		if i == most {
			texts = append(texts, fmt.Sprintf("and %d more", len(problems)-most))
			break
		}
		texts = append(texts, fmt.Sprintf("%s:%d:%d: %s%s", f.name, p.line, p.column, p.sentence(), f.excerpt(p.line, p.column)))
	}
	return errors.New(strings.Join(texts, "\n"))
}

// excerpt shows the line of a mistake and marks the column. It shows no other line, since that may
// hold a secret.
func (f *File) excerpt(line, column int) string {
	lines := bytes.Split(f.text, []byte("\n"))
	if line < 1 || line > len(lines) {
		return ""
	}
	text := strings.TrimRight(string(lines[line-1]), " \r")
	shown := Redact(text)
	if len(shown) > 160 {
		return ""
	}
	mark := ""
	if shown == text && column >= 1 && column <= len(text)+1 {
		mark = "\n    " + strings.Repeat(" ", column-1) + "^"
	}
	return "\n    " + shown + mark
}

// Locate puts file and line before an error. For a *field.Error this is the line of the setting, or
// of the nearest section around it that the file has.
func (f *File) Locate(err error) error {
	var wrong *field.Error
	if !errors.As(err, &wrong) {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	for path := wrong.Field; path != ""; path = path[:max(strings.LastIndexAny(path, ".["), 0)] {
		if at, ok := f.lines[path]; ok {
			return fmt.Errorf("%s:%d: %w", f.name, at, err)
		}
	}
	return fmt.Errorf("%s: %w", f.name, err)
}

// Has tells whether the file gives the setting at path.
func (f *File) Has(path string) bool {
	_, ok := f.lines[path]
	return ok
}

// line returns the line of a node, from 1.
func line(n ast.Node) int { return n.GetToken().Position.Line }

// secretOption is an option of an address whose value may be a secret.
var secretOption = regexp.MustCompile(`(?i)([?&][a-z_]*(?:pass|secret|token|key|auth)[a-z_]*=)[^&\s"']+`)

// Redact replaces possible secrets in addresses: the text before an @, as in
// redis://user:password@host:6379, and the values of options such as ?password=. In a URL it is the
// text before the last @ of its line: a password that was not escaped may hold anything.
func Redact(text string) string {
	text = secretOption.ReplaceAllString(text, "${1}"+hidden)
	parts := strings.SplitAfter(text, "://")
	for i := 1; i < len(parts); i++ {
		line, rest, more := strings.Cut(parts[i], "\n")
		if at := strings.LastIndexByte(line, '@'); at >= 0 {
			line = hidden + line[at:]
		}
		if parts[i] = line; more {
			parts[i] += "\n" + rest
		}
	}
	text = strings.Join(parts, "")
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n\"'`,{}[]", r) }) {
		at := strings.LastIndexByte(word, '@')
		if at > 0 && strings.ContainsRune(word[:at], ':') && !strings.Contains(word, "://") {
			text = strings.ReplaceAll(text, word, hidden+word[at:])
		}
	}
	return text
}
