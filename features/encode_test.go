package features

import (
	"math"
	"reflect"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

func TestValuesBecomeInputsByTheirKind(t *testing.T) {
	field := model.FieldHash("x")
	token := func(text string, weight float64) model.Feature {
		return model.Feature{Field: field, Hash: model.TokenHash(text), Value: weight, Kind: model.Token}
	}
	number := func(x float64) model.Feature { return model.Feature{Field: field, Value: x, Kind: model.Number} }
	missing := model.Feature{Field: field, Kind: model.Missing}
	f := func(text string, want ...model.Feature) {
		t.Helper()
		if got := Encode(nil, fieldsOf(t, text)); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: got %+v, want %+v", text, got, want)
		}
	}
	f(`{}`)
	f(`{"x":"mobile"}`, token("mobile", 1))
	f(`{"x":""}`, token("", 1))
	f(`{"x":"7"}`, token("7", 1))
	f(`{"x":7}`, number(7))
	f(`{"x":0}`, number(0))
	f(`{"x":true}`, token("true", 1))
	f(`{"x":null}`, missing)
	f(`{"x":[]}`, missing)
	f(`{"x":["a",["b",0.5],7]}`, token("a", 1), token("b", 0.5), token("7", 1))
	if got := Encode(nil, event.Fields{{Name: "x", Value: event.Value{Kind: event.Number, Num: math.Inf(1)}}}); !reflect.DeepEqual(got, []model.Feature{missing}) {
		t.Fatal(got)
	}
}

func TestAListWithoutAFiniteWeightIsMissing(t *testing.T) {
	got := Encode(nil, event.Fields{{Name: "x", Value: event.Value{Kind: event.List, List: []event.WeightedToken{{Token: "a", Weight: math.NaN()}}}}})
	if len(got) != 1 || got[0].Kind != model.Missing {
		t.Fatal(got)
	}
}

func TestEncodeAllocatesNothing(t *testing.T) {
	fields := fieldsOf(t, `{"device":"mobile","hour":14,"tags":["a","b"],"none":null}`)
	var dst []model.Feature
	if allocs := testing.AllocsPerRun(100, func() { dst = Encode(dst[:0], fields) }); allocs > 0 {
		t.Fatalf("%v allocations", allocs)
	}
}
