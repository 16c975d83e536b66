// Package expression compiles the short texts in which a request says what a candidate is worth, or
// which items of a catalogue it wants:
//
//	p.click * 0.40 + p.conversion * (candidate.margin ?? 0.1)
//	item.brand in ["a", "b"] and item.price < context.budget
//
// The language is the part of expr (https://expr-lang.org) that cannot loop, call out or build
// memory: numbers, texts, true and false; + - * / % ** ^; == != < <= > >=; and or not && || !;
// c ? a : b; in and not in with a list or a field that is one; a ?? b for a field that may be
// missing; and the functions of the table in functions.go. A name is a group and a field of it, as
// in candidate.margin or candidate["a long name"], or stands by itself where Names says so. Texts
// are ordered by their bytes, so times in RFC 3339 and UTC by time.
//
// expr parses a text. Its virtual machine does not run it: that boxes every number, which takes
// seven allocations and 420 ns for the first expression above. Here the syntax tree becomes
// closures over float64, which allocate nothing.
//
// A text has at most MaxText bytes, MaxNodes operands and operators, and MaxDepth brackets in one
// another. Evaluation visits each node once at most, so these bound its time as well.
package expression

import (
	"fmt"
	"math"

	"github.com/clickloop/clickloop/event"
)

// Bounds of a text.
const (
	MaxText  = 2000 // bytes
	MaxNodes = 500  // names, constants, operators and calls
	MaxDepth = 32   // brackets in one another
)

// Names are what a text may refer to.
type Names struct {
	// Numbers lists the fields of groups in which each field is a number and known beforehand, such
	// as "p" with the objectives.
	Numbers map[string][]string
	// Fields names groups of which any field may be asked for, such as "candidate". What a field is
	// shows when the text is evaluated.
	Fields []string
	// Members are further fields by their whole names, such as "user" or "p.click", with what they
	// hold. Any of them may be missing.
	Members map[string]Kind
	// Holds says what the fields of groups in Fields hold, where that is the same for all of them.
	Holds map[string]Kind
	// Any allows names that are none of these, by themselves and with groups.
	Any bool
}

// Kind is what a field holds.
type Kind uint8

// Kinds of fields.
const (
	Anything Kind = iota // what it holds shows when the text is evaluated
	Number
	Boolean
	Text
)

// Ref is a field that a text refers to.
type Ref struct {
	Group, Field string // Field is empty for a name that stands by itself
	Column       int    // of its first mention, from 1, in characters
}

// Error says what is wrong with a text, or with its result.
type Error struct {
	Column  int // from 1, in characters; 0 for the text as a whole
	Reason  string
	Missing bool // a field that was not given is needed
}

// Error gives the column in front of the reason.
func (e *Error) Error() string {
	if e.Column == 0 {
		return e.Reason
	}
	return fmt.Sprintf("at column %d: %s", e.Column, e.Reason)
}

// Program is a compiled text. Any number of goroutines may use it at once, each with its own Run.
type Program struct {
	text string
	refs []Ref
	root node
}

// String returns the text.
func (p *Program) String() string { return p.text }

// Refs returns the fields that the text refers to. A Run has their values in the same order.
func (p *Program) Refs() []Ref { return p.refs }

// Numeric says whether the text gives a number. It is false only where the text gives a boolean.
func (p *Program) Numeric() bool { return p.root.kind != boolean }

// Run is the memory of an evaluation. Values are those of Program.Refs, in their order; Null is a
// field that is missing. A Number with a Str is equal to that text, too: a whole number beyond 2^53
// has its digits there. The zero Run is ready for use.
type Run struct {
	Values []event.Value
	failed failure
}

// failure is why an evaluation has no result.
type failure struct {
	column int // 0 for none
	reason string
	ref    int // of the field that is at fault, -1 for none
}

// fail notes the first failure. The evaluation goes on with zeros.
func (r *Run) fail(column, ref int, reason string) {
	if r.failed.column == 0 {
		r.failed = failure{column, reason, ref}
	}
}

// Number evaluates a text that gives a number, which is finite. An error is an *Error.
func (p *Program) Number(r *Run) (float64, error) {
	r.failed = failure{}
	f := p.root.number(r)
	if r.failed.column == 0 && (math.IsNaN(f) || math.IsInf(f, 0)) {
		r.fail(p.root.column, -1, overflows)
	}
	if r.failed.column != 0 {
		return 0, p.explain(r)
	}
	return f, nil
}

// Bool evaluates a text that gives a boolean. An error is an *Error; with Missing set it is about a
// field that was not given.
func (p *Program) Bool(r *Run) (bool, error) {
	r.failed = failure{}
	b := p.root.truth(r)
	if r.failed.column != 0 {
		return false, p.explain(r)
	}
	return b, nil
}

func (p *Program) explain(r *Run) error {
	e := &Error{Column: r.failed.column, Reason: r.failed.reason}
	if r.failed.ref >= 0 {
		ref := &p.refs[r.failed.ref]
		if e.Missing = e.Reason == missing; e.Missing {
			e.Reason += " (a default is written " + ref.name() + " ?? 0)"
		}
		e.Reason = ref.name() + " " + e.Reason
	}
	return e
}

func (r *Ref) name() string {
	if r.Field == "" {
		return r.Group
	}
	for _, c := range r.Field {
		if c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return fmt.Sprintf("%s[%q]", r.Group, r.Field)
		}
	}
	return r.Group + "." + r.Field
}

// Reasons of failures.
const (
	missing    = "is missing"
	noNumber   = "is not a number"
	noText     = "is not a text"
	noBoolean  = "is not true or false"
	noList     = "is a number, want a list or a text to look in"
	byZero     = "division by zero"
	noLog      = "log of a number that is not positive"
	noRoot     = "sqrt of a negative number"
	noPower    = "a power that is not a finite number"
	overflows  = "the result is not a finite number"
	overflowed = "a result that is not a finite number"
)
