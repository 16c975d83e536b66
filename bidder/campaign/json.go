package campaign

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// The forms are read from JSON and written as JSON by their types, with the names by which
// internal/settings reads them from YAML: one form serves both.

// maxDepth bounds the nesting of a campaign in JSON.
const maxDepth = 12

var durationType = reflect.TypeFor[time.Duration]()

// shorthand is a section that may be given as a text.
type shorthand interface{ Short(text string) }

// member is a field of a form.
type member struct {
	name  string
	index int
}

var membersOf sync.Map // of reflect.Type: []member

// members are the fields of a form in their order.
func members(t reflect.Type) []member {
	if known, ok := membersOf.Load(t); ok {
		return known.([]member)
	}
	var all []member
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("yaml")
		if name == "" {
			name = strings.ToLower(t.Field(i).Name)
		}
		if name != "-" {
			all = append(all, member{name, i})
		}
	}
	membersOf.Store(t, all)
	return all
}

// readJSON reads the next value into v. What is wrong is r's error, with the path of the value.
func readJSON(r *strictjson.Reader, v reflect.Value) {
	if s, ok := v.Addr().Interface().(shorthand); ok && r.Kind() == strictjson.KindString {
		s.Short(r.Text())
		return
	}
	if v.Type() == durationType {
		readDuration(r, v)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !r.Null() {
			v.Set(reflect.New(v.Type().Elem()))
			readJSON(r, v.Elem())
		}
	case reflect.Struct:
		readSection(r, v)
	case reflect.Slice:
		readList(r, v)
	case reflect.String:
		v.SetString(r.Text())
	case reflect.Bool:
		v.SetBool(r.Bool())
	case reflect.Float64:
		v.SetFloat(r.Number())
	case reflect.Int:
		i := r.Integer()
		if i != int64(int32(i)) {
			r.Fail(fmt.Sprintf("is %d, which is out of range", i))
		}
		v.SetInt(i)
	default:
		panic(fmt.Sprintf("BUG: no form has a %s", v.Type()))
	}
}

func readDuration(r *strictjson.Reader, v reflect.Value) {
	if r.Null() {
		return
	}
	text := r.Text()
	if r.Err() != nil {
		return
	}
	d, err := event.ParseDuration(text)
	if err != nil {
		r.Fail(err.Error())
	}
	v.SetInt(int64(d))
}

func readSection(r *strictjson.Reader, v reflect.Value) {
	all := members(v.Type())
	for r.Object(); r.Key(); {
		at := -1
		for _, m := range all {
			if m.name == r.Name() {
				at = m.index
			}
		}
		if at < 0 {
			var known []string
			for _, m := range all {
				known = append(known, m.name)
			}
			r.Fail(event.UnknownName(r.Name(), known))
			return
		}
		readJSON(r, v.Field(at))
	}
}

// readList makes an empty list of [], which is another thing than no list.
func readList(r *strictjson.Reader, v reflect.Value) {
	if r.Kind() == strictjson.KindArray {
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	}
	for r.Array(); r.Element(); {
		switch n := v.Len(); {
		case n == maxList:
			r.Fail(fmt.Sprintf("is one too many: a list has at most %d", maxList))
		case r.Kind() == strictjson.KindNull:
			r.Fail("is null, expected a value")
		default:
			v.Grow(1)
			v.SetLen(n + 1)
			v.Index(n).SetZero()
			readJSON(r, v.Index(n))
		}
	}
}

// appendJSON appends v on one line. Members that are zero or empty are left out, since they read
// back as what they are.
func appendJSON(dst []byte, v reflect.Value) []byte {
	if v.Type() == durationType {
		return strictjson.AppendString(dst, durationText(time.Duration(v.Int())))
	}
	switch v.Kind() {
	case reflect.Pointer:
		return appendJSON(dst, v.Elem())
	case reflect.Struct:
		o := strictjson.NewObject(dst)
		for _, m := range members(v.Type()) {
			f := v.Field(m.index)
			if f.IsZero() || f.Kind() == reflect.Slice && f.Len() == 0 {
				continue
			}
			o.Key(m.name)
			o.Buf = appendJSON(o.Buf, f)
		}
		return o.End()
	case reflect.Slice:
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, v.Index(i))
		}
		return append(dst, ']')
	case reflect.String:
		return strictjson.AppendString(dst, v.String())
	case reflect.Bool:
		return fmt.Appendf(dst, "%t", v.Bool())
	case reflect.Float64:
		return strictjson.AppendNumber(dst, v.Float())
	case reflect.Int:
		return fmt.Appendf(dst, "%d", v.Int())
	}
	panic(fmt.Sprintf("BUG: no form has a %s", v.Type()))
}

// durationText is d in its largest whole unit, such as 24h or 90s.
func durationText(d time.Duration) string {
	for _, u := range []struct {
		of   time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}, {time.Millisecond, "ms"}} {
		if d%u.of == 0 {
			return fmt.Sprintf("%d%s", d/u.of, u.name)
		}
	}
	return d.String()
}
