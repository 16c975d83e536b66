package half

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestHalvesRoundToTheNearestEven(t *testing.T) {
	for h := range 1 << 16 {
		if h&0x7c00 == 0x7c00 {
			continue // infinite or not a number: never made
		}
		if got := Of(Float(uint16(h))); got != uint16(h) {
			t.Fatalf("%#04x becomes %v and %#04x", h, Float(uint16(h)), got)
		}
	}
	// Between two neighbours the nearer wins, in the middle the even one.
	for h := uint16(0); h < 0x7bff; h++ {
		a, b := Float(h), Float(h+1)
		mid := (a + b) / 2
		even := h + h&1
		for _, c := range []struct {
			f    float32
			want uint16
		}{{mid, even}, {math.Nextafter32(mid, a), h}, {math.Nextafter32(mid, b), h + 1}, {-mid, even | 0x8000}} {
			if got := Of(c.f); got != c.want {
				t.Fatalf("%v becomes %#04x, want %#04x", c.f, got, c.want)
			}
		}
	}
	for f, want := range map[float32]float32{1e9: 65504, -1e9: -65504, 65519: 65504, 1e-9: 0, float32(math.Inf(1)): 65504} {
		if got := Float(Of(f)); got != want {
			t.Errorf("%v becomes %v, want %v", f, got, want)
		}
	}
}

func TestVectorHalvesAreThePlainOnes(t *testing.T) {
	if !Vector {
		t.Skip("this machine has no vector instructions for halves")
	}
	r := rand.New(rand.NewPCG(5, 5))
	src, back := make([]float32, 83), make([]float32, 83)
	dst := make([]uint16, 83)
	for range 20000 {
		for i := range src {
			src[i] = math.Float32frombits(r.Uint32())
			if src[i] != src[i] {
				src[i] = float32(math.Copysign(0, -1))
			}
			if i%3 == 0 {
				src[i] = float32(r.NormFloat64() * 0.03)
			}
		}
		Pack(dst, src)
		Unpack(back, dst)
		for i, f := range src {
			if dst[i] != Of(f) || math.Float32bits(back[i]) != math.Float32bits(Float(dst[i])) {
				t.Fatalf("%v: %#04x and %v, plain %#04x and %v", f, dst[i], back[i], Of(f), Float(dst[i]))
			}
		}
	}
}
