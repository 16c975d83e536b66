package tail

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/stream"
)

// kcatLine returns a shell command by which kcat prints the same messages, so that a reader can go
// on without clickloop. It also returns what kcat and jq cannot do.
func kcatLine(topic string, o *Options, ranges []stream.Range) (line string, leftOut []string) {
	line = fmt.Sprintf("kcat -C -q -b %s -t %s", ShellQuote(strings.Join(o.Brokers, ",")), ShellQuote(topic))
	if o.Partition >= 0 {
		line += fmt.Sprintf(" -p %d", o.Partition)
	}
	flags, leftOut := o.Span.kcat(ranges, o.Partition)
	line += flags
	if o.Exit {
		line += " -e"
	}
	where := o.Where
	if o.Join {
		leftOut = append(leftOut, "--join: it prints predictions without their outcomes")
		if joinsOutcomes(o) {
			leftOut, where = append(leftOut, "conditions, since they ask for outcomes"), nil
		}
	}
	filter, lost := jqFilter(where, o.names())
	leftOut = append(leftOut, lost...)
	if filter != "" {
		filtered, lost := kcatFiltered(line, filter, o)
		return filtered, append(leftOut, lost...)
	}
	if o.Count > 0 {
		line += fmt.Sprintf(" -c %d", o.Count)
	}
	if o.Envelope {
		line += " -J"
	}
	if o.Format != "" {
		line += " -f " + ShellQuote(o.Format)
		if format, _ := parseFormat(o.Format); slices.ContainsFunc(format, func(p piece) bool { return bytes.IndexByte(p.text, 0) >= 0 }) {
			leftOut = append(leftOut, "what stands behind a zero byte of -f, up to the next field")
		}
	}
	return line, leftOut
}

// kcatFiltered returns line with a filter of jq behind it.
func kcatFiltered(line, filter string, o *Options) (whole string, leftOut []string) {
	unbuffered := ""
	if !o.Exit {
		line, unbuffered = line+" -u", " --unbuffered" // messages show at once
	}
	line += " -J | jq" + unbuffered
	head := ""
	if o.Count > 0 {
		head = fmt.Sprintf(" | head -n %d", o.Count)
		leftOut = append(leftOut, endless(o)...)
	}
	selected := "select(" + filter + ")"
	format, _ := parseFormat(o.Format)
	formatted, ok := jqFormat(format)
	switch {
	case o.Envelope:
		line += " -c " + ShellQuote(selected) + head
	case format == nil:
		line += " -r " + ShellQuote(selected+"|.payload") + head
	case !ok:
		line += " -r " + ShellQuote(selected+"|.payload") + head
		leftOut = append(leftOut, "-f, of which jq cannot print bytes that are no text")
	case head == "":
		line += " -j " + ShellQuote(selected+"|"+formatted)
	default: // a format may have any number of lines, so messages are counted before
		line += " -c " + ShellQuote(selected) + head + " | jq" + unbuffered + " -j " + ShellQuote(formatted)
	}
	return line, leftOut
}

// endless says that kcat goes on behind the last message until it writes again.
func endless(o *Options) []string {
	if o.Exit {
		return nil
	}
	return []string{"the end: kcat notices that only with the next message"}
}

// plainForm matches text that no shell interprets.
var plainForm = regexp.MustCompile(`^[a-zA-Z0-9._:,/@+=-]+$`)

// ShellQuote puts s in single quotes where a shell would interpret it.
func ShellQuote(s string) string {
	if plainForm.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
