package settings

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// decoder walks a file's nodes and the fields of its target side by side.
type decoder struct {
	file     *File
	anchors  map[string]ast.Node
	problems []*Problem
	merging  int // depth of nested merge keys
}

// maxMerging bounds the nesting of merge keys, since a section may merge itself.
const maxMerging = 20

// unmarshaler is a type that decodes its own text.
type unmarshaler interface{ UnmarshalYAML([]byte) error }

// wrong records a mistake at a node and goes on: one run reports all mistakes.
func (d *decoder) wrong(path string, n ast.Node, format string, args ...any) *Problem {
	at := n.GetToken().Position
	p := &Problem{Error: field.Error{Field: path, Reason: fmt.Sprintf(format, args...)}, line: at.Line, column: at.Column}
	d.problems = append(d.problems, p)
	return p
}

// wrongKind reports a node of another kind than want.
func (d *decoder) wrongKind(path string, n ast.Node, want string) {
	d.wrong(path, n, "is %s, want %s", shown(n), want).Kind = true
}

// shown returns a value as errors show it.
func shown(n ast.Node) string {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a section"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		text := Redact(scalar(n))
		if len(text) > 60 {
			text = strings.ToValidUTF8(text[:60], "") + "..."
		}
		return strconv.Quote(text)
	}
	return n.GetToken().Value
}

// scalar returns the text of a node that is neither section nor list.
func scalar(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	return n.GetToken().Value
}

// plain follows anchors, aliases and tags to the value they stand for.
func (d *decoder) plain(path string, n ast.Node) ast.Node {
	for {
		switch x := n.(type) {
		case *ast.AnchorNode:
			d.anchors[x.Name.GetToken().Value] = x.Value
			n = x.Value
		case *ast.AliasNode:
			name := x.Value.GetToken().Value
			to, ok := d.anchors[name]
			if !ok {
				d.wrong(path, n, "is *%s, but no anchor &%s stands before it", name, name)
				return nil
			}
			n = to
		case *ast.TagNode:
			n = x.Value
		default:
			return n
		}
	}
}

// value decodes n into v, the setting at path.
func (d *decoder) value(path string, n ast.Node, v reflect.Value) {
	n = d.plain(path, n)
	if n == nil || n.Type() == ast.NullType {
		return
	}
	if u, ok := v.Addr().Interface().(unmarshaler); ok {
		if err := u.UnmarshalYAML([]byte(n.String())); err != nil {
			d.wrong(path, n, "is %s: %v", shown(n), err)
		}
		return
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d.duration(path, n, v)
		return
	}
	if s, ok := v.Addr().Interface().(Shorthand); ok && n.Type() == ast.StringType {
		s.Short(scalar(n))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(path, n, v.Elem())
	case reflect.Struct:
		d.section(path, n, v)
	case reflect.Map:
		d.named(path, n, v)
	case reflect.Slice:
		d.list(path, n, v)
	case reflect.String:
		switch n.Type() {
		case ast.MappingType, ast.MappingValueType, ast.SequenceType:
			d.wrongKind(path, n, "a text")
		default:
			v.SetString(scalar(n))
		}
	case reflect.Bool:
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.wrongKind(path, n, "true or false")
			return
		}
		v.SetBool(b.Value)
	case reflect.Float64:
		d.float(path, n, v)
	case reflect.Int, reflect.Int64, reflect.Uint64:
		d.integer(path, n, v)
	default:
		panic(fmt.Sprintf("BUG: %s has type %s, which no file can give", path, v.Type()))
	}
}

// duration decodes a duration with its unit. It leaves a value that every check refuses, as float
// and integer do.
func (d *decoder) duration(path string, n ast.Node, v reflect.Value) {
	switch n.Type() {
	case ast.StringType, ast.LiteralType, ast.IntegerType, ast.FloatType:
		got, err := event.ParseDuration(scalar(n))
		if err == nil {
			v.SetInt(int64(got))
			return
		}
		d.wrong(path, n, "%v", err).Kind = true
	default:
		d.wrongKind(path, n, "a duration, such as 30s, 5m, 24h or 7d")
	}
	v.SetInt(math.MinInt64)
}

// float decodes a number. It replaces a value of the wrong kind by one that every check refuses, so
// that the check's error lists the allowed values; duration and integer do the same.
func (d *decoder) float(path string, n ast.Node, v reflect.Value) {
	x, ok := number(n)
	if !ok {
		d.wrongKind(path, n, "a number")
		x = math.NaN()
	}
	v.SetFloat(x)
}

// exponential matches numbers such as 1e6.
var exponential = regexp.MustCompile(`^[-+]?[0-9]*\.?[0-9]+[eE][-+]?[0-9]+$`)

// number returns the value of a number.
func number(n ast.Node) (float64, bool) {
	switch n := n.(type) {
	case *ast.FloatNode:
		return n.Value, true
	case *ast.IntegerNode:
		if i := whole(n); i != nil {
			x, _ := i.Float64()
			return x, true
		}
	case *ast.InfinityNode:
		return n.Value, true
	case *ast.NanNode:
		return math.NaN(), true
	case *ast.StringNode: // the parser takes 1e6 for text
		if n.Token.Type == token.StringType && exponential.MatchString(n.Value) {
			x, err := strconv.ParseFloat(n.Value, 64)
			return x, err == nil
		}
	}
	return 0, false
}

// integer decodes a whole number.
func (d *decoder) integer(path string, n ast.Node, v reflect.Value) {
	i := whole(n)
	switch {
	case i != nil && v.CanUint() && i.IsUint64():
		v.SetUint(i.Uint64())
	case i != nil && v.CanInt() && i.IsInt64():
		v.SetInt(i.Int64())
	case v.CanUint():
		d.wrongKind(path, n, "a whole number, 0 or more")
	default:
		d.wrongKind(path, n, "a whole number")
		v.SetInt(math.MinInt64)
	}
}

// whole returns a whole number, or nil. A float, such as 1e6, counts where it is exact.
func whole(n ast.Node) *big.Int {
	if i, ok := n.(*ast.IntegerNode); ok {
		switch i := i.Value.(type) {
		case uint64: // the parser's type for 0 and above
			return new(big.Int).SetUint64(i)
		case int64:
			return big.NewInt(i)
		}
		return nil
	}
	const exact = 1 << 53
	if x, ok := number(n); ok && x == math.Trunc(x) && math.Abs(x) < exact {
		return big.NewInt(int64(x))
	}
	return nil
}

// list decodes a list. It replaces the default list: lists are not merged.
func (d *decoder) list(path string, n ast.Node, v reflect.Value) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		want := "a list"
		if n.Type() != ast.MappingType && v.Type().Elem().Kind() == reflect.String {
			want += ", such as [" + Redact(scalar(n)) + "]"
		}
		d.wrongKind(path, n, want)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values)))
	for i, item := range s.Values {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.file.lines[at] = firstLine(item)
		if item.Type() == ast.NullType {
			d.wrong(at, item, "has no value")
			continue
		}
		d.value(at, item, v.Index(i))
	}
}

// firstLine returns the line on which an item of a list begins. For a section this is its first
// name.
func firstLine(n ast.Node) int {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	return line(n)
}

// entries returns the members of a section. Merged members come first, so that the section's own
// members override them.
func (d *decoder) entries(path string, n ast.Node) ([]*ast.MappingValueNode, bool) {
	var own []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		own = n.Values
	case *ast.MappingValueNode:
		own = []*ast.MappingValueNode{n}
	default:
		return nil, false
	}
	var all []*ast.MappingValueNode
	for _, e := range own {
		if !e.Key.IsMergeKey() {
			continue
		}
		merged := []ast.Node{d.plain(path, e.Value)}
		if s, ok := merged[0].(*ast.SequenceNode); ok {
			merged = slices.Clone(s.Values)
			slices.Reverse(merged) // the first section overrides the others
		}
		for _, m := range merged {
			if m = d.plain(path, m); m == nil {
				continue
			}
			if d.merging == maxMerging {
				d.wrong(path+".<<", e, "merges sections in sections, more than %d deep, or itself", maxMerging)
				continue
			}
			d.merging++
			more, ok := d.entries(path, m)
			d.merging--
			if !ok {
				d.wrongKind(path+".<<", m, "a section")
			}
			all = append(all, more...)
		}
	}
	return append(all, slices.DeleteFunc(slices.Clone(own), func(e *ast.MappingValueNode) bool { return e.Key.IsMergeKey() })...), true
}

// named decodes a section whose names the file chooses.
func (d *decoder) named(path string, n ast.Node, v reflect.Value) {
	entries, ok := d.entries(path, n)
	if !ok {
		d.wrongKind(path, n, "a section of names")
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for _, e := range entries {
		name := e.Key.GetToken().Value
		at := join(path, name)
		d.file.lines[at] = line(e.Key)
		value := reflect.New(v.Type().Elem()).Elem()
		if m, ok := v.Interface().(Defaulter); ok {
			value.Set(reflect.ValueOf(m.Default()))
		}
		d.value(at, e.Value, value)
		v.SetMapIndex(reflect.ValueOf(name), value)
	}
}

// section decodes a section into the fields of a struct.
func (d *decoder) section(path string, n ast.Node, v reflect.Value) {
	fields := names(v.Type())
	entries, ok := d.entries(path, n)
	if !ok {
		if path == "" {
			path = "the file"
		}
		d.wrongKind(path, n, "a section with "+strings.Join(fields, ", "))
		return
	}
	for _, e := range entries {
		name := e.Key.GetToken().Value
		if !slices.Contains(fields, name) {
			d.unknown(path, e.Key, name, fields)
			continue
		}
		at := join(path, name)
		d.file.lines[at] = line(e.Key)
		d.value(at, e.Value, fieldOf(v, name))
	}
}

// unknown reports a name that the section does not have, and suggests the nearest one.
func (d *decoder) unknown(path string, key ast.Node, name string, fields []string) {
	hint := ", want one of " + strings.Join(fields, ", ")
	if near := event.Nearest(name, fields); near != "" {
		hint = fmt.Sprintf(", did you mean %s?", near) + " Allowed are " + strings.Join(fields, ", ")
	}
	within := ""
	if path != "" {
		within = " in " + path
	}
	d.wrong("", key, "unknown field %q%s%s", name, within, hint)
}
