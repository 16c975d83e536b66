package main

import "testing"

// Ids may have more digits than float64 holds, as numbers of other producers and as texts of ours.
func TestConditionsCompareToTheLastDigit(t *testing.T) {
	f := func(message, s string, want bool) {
		t.Helper()
		c, err := parseCondition(s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		if got := holds([]condition{c}, []byte(message)); got != want {
			t.Errorf("%s of %s: %v, want %v", s, message, got, want)
		}
	}
	for _, id := range []string{`9007199254740993`, `"9007199254740993"`} {
		m := `{"properties":{"order":` + id + `}}`
		f(m, "properties.order=9007199254740993", true)
		f(m, "properties.order=9007199254740992", false)
		f(m, "properties.order!=9007199254740992", true)
		f(m, "properties.order>9007199254740992", true)
		f(m, "properties.order<=9007199254740992", false)
		f(m, "properties.order<10000000000000000", true) // not by its first digit
		f(m, "properties.order>-9007199254740993", true)
	}
	f(`{"x":0.25}`, "x=0.250", true)
	f(`{"x":1e3}`, "x=1000", true)
	f(`{"x":1000}`, "x>=1e3", true)
	f(`{"x":"01234"}`, "x=1234", false)
	f(`{"x":"01234"}`, "x=01234", true)
	f(`{"x":"10"}`, "x<9", false)
	f(`{"x":"v10"}`, "x<v9", true)
	f(`{"x":1e999}`, "x=1e999", true)
	f(`{"x":1}`, "x=one", false)
	f(`{"x":true}`, "x=true", true)
	f(`{"x":null}`, "x=", true)
	f(`{"x":1} garbage`, "x=1", false)
	f(`[1]`, "x=1", false)
}
