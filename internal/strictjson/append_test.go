package strictjson

import (
	"math"
	"testing"
)

func TestNumbersKeepTheirBits(t *testing.T) {
	f := func(x float64, want string) {
		t.Helper()
		got := AppendNumber(nil, x)
		if string(got) != want {
			t.Fatalf("%v is written as %s, want %s", x, got, want)
		}
		var r Reader
		r.Reset(want, Limits{Bytes: 100})
		back := r.Number()
		if err := r.End(); err != nil {
			t.Fatal(err)
		}
		if Finite(x) && math.Float64bits(back) != math.Float64bits(x) {
			t.Fatalf("%s reads as %v", want, back)
		}
	}
	f(0, "0")
	f(math.Copysign(0, -1), "-0")
	f(1, "1")
	f(-12.5, "-12.5")
	f(0.1, "0.1")
	f(math.Nextafter(0.3, 1), "0.30000000000000004")
	f(1e15, "1000000000000000")
	f(1<<53, "9007199254740992")
	f(1e20, "100000000000000000000")
	f(1e21, "1e+21")
	f(1e-6, "0.000001")
	f(1e-7, "1e-07")
	f(5e-324, "5e-324")
	f(math.MaxFloat64, "1.7976931348623157e+308")
	f(math.NaN(), "null")
	f(math.Inf(1), "null")
	f(math.Inf(-1), "null")
}

func TestBytesThatAreNoUTF8AreReplacedOnWriting(t *testing.T) {
	if got := string(AppendString(nil, "a\xffb\xe2\x82")); got != "\"a\ufffdb\ufffd\ufffd\"" {
		t.Fatal(got)
	}
}
