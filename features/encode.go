package features

import (
	"math"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

// Encode appends the network's inputs for f: a string is a token, a number a number, a list its
// tokens one after another. Null, a number that is not finite, and a list without tokens are
// missing. A string that looks like a number stays a token. Encode allocates only room in dst.
func Encode(dst []model.Feature, f event.Fields) []model.Feature {
	for i := range f {
		dst = EncodeValue(dst, model.FieldHash(f[i].Name), &f[i].Value)
	}
	return dst
}

// EncodeValue is Encode for one value; field is model.FieldHash of its name.
func EncodeValue(dst []model.Feature, field uint64, v *event.Value) []model.Feature {
	switch {
	case v.Kind == event.String:
		return append(dst, model.Feature{Field: field, Hash: model.TokenHash(v.Str), Value: 1, Kind: model.Token})
	case v.Kind == event.Number && finite(v.Num):
		return append(dst, model.Feature{Field: field, Value: v.Num, Kind: model.Number})
	case v.Kind == event.List:
		from := len(dst)
		for _, t := range v.List {
			if finite(t.Weight) {
				dst = append(dst, model.Feature{Field: field, Hash: model.TokenHash(t.Token), Value: t.Weight, Kind: model.Token})
			}
		}
		if len(dst) > from {
			return dst
		}
	}
	return append(dst, model.Feature{Field: field, Kind: model.Missing})
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
