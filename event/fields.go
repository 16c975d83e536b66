package event

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/internal/strictjson"
)

// Lookup returns the value of the field named name.
func (f Fields) Lookup(name string) (Value, bool) {
	for i := range f {
		if f[i].Name == name {
			return f[i].Value, true
		}
	}
	return Value{}, false
}

// Text returns the text of a String, or of a Number in its shortest form; else it is empty.
func (v Value) Text() string {
	switch v.Kind {
	case String:
		return v.Str
	case Number:
		return string(strictjson.AppendNumber(make([]byte, 0, 24), v.Num))
	}
	return ""
}

// Amount returns a Number, or the number that a String holds, since some senders quote theirs. A
// text with a currency or separators is no amount: its meaning would be a guess.
func (v Value) Amount() (float64, bool) {
	switch v.Kind {
	case Number:
		return v.Num, true
	case String:
		s := strings.TrimSpace(v.Str)
		if s == "" || strings.Trim(s, "0123456789.eE+-") != "" {
			return 0, false
		}
		f, err := strconv.ParseFloat(s, 64)
		return f, err == nil
	}
	return 0, false
}

// AppendJSON appends f as an object in its order. Names must be unique.
func (f Fields) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for i := range f {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strictjson.AppendString(dst, f[i].Name)
		dst = append(dst, ':')
		dst = f[i].Value.AppendJSON(dst)
	}
	return append(dst, '}')
}

// AppendJSON appends v; a number that JSON cannot hold becomes null.
func (v *Value) AppendJSON(dst []byte) []byte {
	switch v.Kind {
	case String:
		return strictjson.AppendString(dst, v.Str)
	case Number:
		return strictjson.AppendNumber(dst, v.Num)
	case List:
		dst = append(dst, '[')
		for i, t := range v.List {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = t.appendJSON(dst)
		}
		return append(dst, ']')
	}
	return append(dst, "null"...)
}

func (t WeightedToken) appendJSON(dst []byte) []byte {
	if t.Weight == 1 || !strictjson.Finite(t.Weight) {
		return strictjson.AppendString(dst, t.Token)
	}
	dst = append(dst, '[')
	dst = strictjson.AppendString(dst, t.Token)
	dst = append(dst, ',')
	dst = strictjson.AppendNumber(dst, t.Weight)
	return append(dst, ']')
}

// MarshalJSON is AppendJSON, for encoding/json.
func (f Fields) MarshalJSON() ([]byte, error) { return f.AppendJSON(nil), nil }

// UnmarshalJSON reads an object; f's memory is used again.
func (f *Fields) UnmarshalJSON(b []byte) error {
	r := acquire(b, DefaultLimits)
	defer r.release()
	*f = r.Fields((*f)[:0])
	return r.End()
}

// Fields reads an object and appends its facts to dst. A nested value is named by its path, such as
// geo.country or products.0.id. The slices of the lists in dst's spare capacity are used again.
func (r *Reader) Fields(dst Fields) Fields {
	if cap(dst) > 0 {
		return r.object(dst)
	}
	// a message that is read anew is often kept: it gets no more memory than it needs
	own := r.object(r.own[:0])
	if len(own) > 0 {
		dst = slices.Clone(own)
	}
	if clear(own); cap(own) <= keptFields {
		r.own = own
	}
	return dst
}

// keptFields is how many facts a pooled Reader has memory for.
const keptFields = 256

func (r *Reader) object(dst Fields) Fields {
	r.nested, r.dotted = false, false
	from := len(dst)
	dst = r.members(dst, "", false)
	if r.nested && r.dotted && r.Err() == nil {
		r.refuseRepeats(dst[from:])
	}
	return dst
}

// refuseRepeats finds names that only flattening has made equal, such as {"a":{"b":1},"a.b":2}.
func (r *Reader) refuseRepeats(f Fields) {
	seen := make(map[string]bool, len(f))
	for i := range f {
		if seen[f[i].Name] {
			r.FailField(f[i].Name, "is given twice: nested and with dots in its name")
			return
		}
		seen[f[i].Name] = true
	}
}

func (r *Reader) members(dst Fields, prefix string, nested bool) Fields {
	for r.Object(); r.Key(); {
		name := r.Name()
		if !r.dotted && strings.IndexByte(name, '.') >= 0 {
			r.dotted = true
		}
		if nested {
			if name = r.join(prefix, name); r.Err() != nil {
				return dst
			}
		}
		dst = r.value(dst, name)
	}
	return dst
}

// join returns the name of what is nested, or fails when all such names are too long.
func (r *Reader) join(outer, inner string) string {
	if r.names += len(outer) + 1 + len(inner); r.names > r.maxNames {
		r.Fail(fmt.Sprintf("is nested below names that are too long: names of nested fields may have %d bytes together", r.maxNames))
		return ""
	}
	return outer + "." + inner
}

// value reads the next value as the field name, or as several fields when it is nested.
func (r *Reader) value(dst Fields, name string) Fields {
	var v Value
	switch r.Kind() {
	case strictjson.KindString:
		v = Value{Kind: String, Str: r.Text()}
	case strictjson.KindNumber:
		v = Value{Kind: Number}
		if v.Num, v.Str = r.Exact(); v.Str != "" {
			v.Kind = String
		}
	case strictjson.KindBool:
		v = Value{Kind: String, Str: strconv.FormatBool(r.Bool())}
	case strictjson.KindNull:
		r.Null()
	case strictjson.KindObject:
		r.nested = true
		return r.members(dst, name, true)
	case strictjson.KindArray:
		return r.list(dst, name)
	default:
		r.Skip() // fails, and says what stands here instead of a value
		return dst
	}
	return r.add(dst, Field{Name: name, Value: v})
}

func (r *Reader) add(dst Fields, f Field) Fields {
	if !r.count() {
		return dst
	}
	return append(dst, f)
}

// count counts a field or a list element of the text, up to the limit.
func (r *Reader) count() bool {
	if r.fields++; r.fields > r.maxFields {
		r.Fail(fmt.Sprintf("is one too many: at most %d fields and list elements are allowed", r.maxFields))
	}
	return r.Err() == nil
}

// list reads an array. Its tokens become one field; an element that is no token becomes a field of
// its own, named by its index.
func (r *Reader) list(dst Fields, name string) Fields {
	tokens := spareList(dst)
	plain := true
	for r.Array(); r.Element(); {
		token, ok := r.token()
		switch {
		case ok:
			if r.count() {
				tokens = append(tokens, token)
			}
		case r.Null():
		default:
			plain, r.nested = false, true
			if inner := r.join(name, strconv.Itoa(r.Index())); r.Err() == nil {
				dst = r.value(dst, inner)
			}
		}
	}
	if plain || len(tokens) > 0 {
		dst = r.add(dst, Field{Name: name, Value: Value{Kind: List, List: tokens}})
	}
	return dst
}

// spareList returns the memory of the list that the next Field of dst held before.
func spareList(dst Fields) []WeightedToken {
	if len(dst) == cap(dst) {
		return nil
	}
	spare := &dst[:len(dst)+1][len(dst)].Value
	tokens := spare.List
	spare.List = nil
	return tokens[:0]
}

// token reads the next value if it is a token or a pair of token and weight.
func (r *Reader) token() (WeightedToken, bool) {
	switch r.Kind() {
	case strictjson.KindString:
		return WeightedToken{Token: r.Text(), Weight: 1}, true
	case strictjson.KindNumber:
		return WeightedToken{Token: r.NumberText(), Weight: 1}, true
	case strictjson.KindBool:
		return WeightedToken{Token: strconv.FormatBool(r.Bool()), Weight: 1}, true
	}
	token, weight, ok := r.Pair()
	return WeightedToken{Token: token, Weight: weight}, ok
}
