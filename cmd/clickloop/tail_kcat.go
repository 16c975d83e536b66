package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/clickloop/clickloop/stream"
)

// kcatLine returns a shell command by which kcat prints the same messages, so that a reader can go
// on without clickloop. It also returns the flags that kcat cannot express.
func kcatLine(brokers []string, topic string, o *tailOptions, ranges []stream.Range) (line string, leftOut []string) {
	line = fmt.Sprintf("kcat -C -q -b %s -t %s", shellQuote(strings.Join(brokers, ",")), shellQuote(topic))
	if o.partition >= 0 {
		line += fmt.Sprintf(" -p %d", o.partition)
	}
	flags, leftOut := o.span.kcat(ranges, o.partition)
	line += flags
	if o.exit {
		line += " -e"
	}
	filter, lost := jqFilter(o.where)
	leftOut = append(leftOut, lost...)
	if filter == "" {
		if o.count > 0 {
			line += fmt.Sprintf(" -c %d", o.count)
		}
		if o.envelope {
			line += " -J"
		}
		return line, leftOut
	}
	unbuffered := ""
	if !o.exit {
		line, unbuffered = line+" -u", " --unbuffered" // messages show at once
	}
	program, form := "select(.payload|fromjson?|objects|"+filter+")", " -c"
	if !o.envelope {
		program, form = program+"|.payload", " -r"
	}
	line += " -J | jq" + unbuffered + form + " " + shellQuote(program)
	if o.count > 0 {
		line += fmt.Sprintf(" | head -n %d", o.count)
		if !o.exit {
			leftOut = append(leftOut, "the end: kcat notices that only with the next message")
		}
	}
	return line, leftOut
}

// plainForm matches text that no shell interprets.
var plainForm = regexp.MustCompile(`^[a-zA-Z0-9._:,/@+=-]+$`)

// shellQuote puts s in single quotes where a shell would interpret it.
func shellQuote(s string) string {
	if plainForm.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
