package features

import (
	"math"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

// Encode appends the inputs of the network for f: a string is a token, a number a number, a list its tokens one after another, and null, an
// empty list or what is no finite number is missing. A string that looks like a number stays a token. It allocates nothing but room in dst.
func Encode(dst []model.Feature, f event.Fields) []model.Feature {
	for i := range f {
		dst = encodeValue(dst, fieldHash(f[i].Name), &f[i].Value)
	}
	return dst
}

func encodeValue(dst []model.Feature, field uint64, v *event.Value) []model.Feature {
	switch {
	case v.Kind == event.String:
		return append(dst, model.Feature{Field: field, Hash: tokenHash(v.Str), Value: 1, Kind: model.Token})
	case v.Kind == event.Number && finite(v.Num):
		return append(dst, model.Feature{Field: field, Value: v.Num, Kind: model.Number})
	case v.Kind == event.List && len(v.List) > 0:
		for _, t := range v.List {
			if finite(t.Weight) {
				dst = append(dst, model.Feature{Field: field, Hash: tokenHash(t.Token), Value: t.Weight, Kind: model.Token})
			}
		}
		return dst
	}
	return append(dst, model.Feature{Field: field, Kind: model.Missing})
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
