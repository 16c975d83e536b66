package settings

import (
	"reflect"
	"strings"
)

// join returns the path of a member.
func join(path, name string) string {
	return strings.TrimPrefix(path+"."+name, ".")
}

// names returns the settings of a struct in the order of its fields. A field that is tagged "-" is
// none.
func names(t reflect.Type) []string {
	var list []string
	for i := range t.NumField() {
		if name := nameOf(t.Field(i)); name != "-" {
			list = append(list, name)
		}
	}
	return list
}

// nameOf returns the name that a file gives a field.
func nameOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "" {
		name = strings.ToLower(f.Name)
	}
	return name
}

// fieldOf returns the field of a struct that a file calls name; the struct must have it.
func fieldOf(v reflect.Value, name string) reflect.Value {
	i := 0
	for nameOf(v.Type().Field(i)) != name {
		i++
	}
	return v.Field(i)
}
