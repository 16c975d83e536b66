// Package arith is the scalar arithmetic of the network: exponentials, roots, hashes and random
// starts. Package math may use fused multiply-add where the processor has it, so its results differ
// between machines. Here every product is rounded by an explicit conversion before it is added: the
// results are the same bits everywhere.
package arith

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// exp2Table holds 2^(i/16). They are products of square roots, which IEEE 754 defines exactly.
var exp2Table = func() (t [16]float64) {
	step := math.Sqrt(math.Sqrt(math.Sqrt(math.Sqrt(2))))
	half, quarter, eighth := math.Sqrt(2), math.Sqrt(math.Sqrt(2)), math.Sqrt(math.Sqrt(math.Sqrt(2)))
	for i := range t {
		t[i] = 1
		for bit, v := range [4]float64{step, eighth, quarter, half} {
			if i>>bit&1 == 1 {
				t[i] = float64(t[i] * v)
			}
		}
	}
	return t
}()

// Exp is e^x with a relative error below 1e-14, x held to +-700.
func Exp(x float64) float64 {
	x = min(max(x, -700), 700)
	k := math.Floor(float64(x*(16/math.Ln2)) + 0.5)
	// ln2/16 in two pieces, the first with so few bits that its product with k is exact.
	const hi, lo = 0x1.62e42feep-5, 0x1.a39ef35793c76p-37
	r := x - float64(k*hi)
	r -= float64(k * lo)
	r2 := float64(r * r)
	p := float64(r*(1.0/6)) + 0.5 + float64(r2*(float64(r*(1.0/120))+1.0/24)) + float64(float64(r2*r2)*(1.0/720))
	p = 1 + r + float64(r2*p)
	i := int64(k)
	return float64(float64(p*exp2Table[i&15]) * math.Float64frombits(uint64(i>>4+1023)<<52))
}

// odds are 1/23, 1/21, ..., 1/1: the coefficients of the series of artanh.
var odds = func() (t [12]float64) {
	for i := range t {
		t[i] = 1 / float64(23-2*i)
	}
	return t
}()

// Log is the natural logarithm of a positive normal number with a relative error below 1e-14.
func Log(x float64) float64 {
	b := math.Float64bits(x)
	e := int64(b>>52) - 1023
	m := math.Float64frombits(b&(1<<52-1) | 1023<<52)
	if m > math.Sqrt2 {
		m, e = m/2, e+1
	}
	s := (m - 1) / (m + 1)
	s2, sum := float64(s*s), 0.0
	for _, odd := range odds {
		sum = float64(sum*s2) + odd
	}
	return float64(2*float64(s*sum)) + float64(float64(e)*math.Ln2)
}

// logParts is 1/m and ln m for the middle m of each of 128 parts of 1 to 2.
var logParts = func() (t [128]struct{ inverse, log float64 }) {
	for i := range t {
		t[i].inverse = 1 / (1 + (float64(i)+0.5)/128)
		t[i].log = -Log(t[i].inverse)
	}
	return t
}()

// QuickLog is Log in a quarter of the time, with an absolute error below 1e-14 for results up to
// 25: that of numbers near 1 is not as small as their logarithm.
func QuickLog(x float64) float64 {
	b := math.Float64bits(x)
	part := &logParts[b>>45&127]
	m := math.Float64frombits(b&(1<<52-1) | 1023<<52)
	r := float64(m*part.inverse) - 1
	r2 := float64(r * r)
	series := 0.5 - float64(r*(1.0/3)) + float64(r2*(0.25-float64(r*(1.0/5))))
	return float64(float64(int64(b>>52)-1023)*math.Ln2) + part.log + (r - float64(r2*series))
}

// exp2Parts holds 2^(i/128), as exp2Table does.
var exp2Parts = func() (t [128]float64) {
	for i := range t {
		t[i] = 1
		root := 2.0
		for bit := 64; bit > 0; bit /= 2 {
			root = math.Sqrt(root)
			if i&bit != 0 {
				t[i] = float64(t[i] * root)
			}
		}
	}
	return t
}()

// QuickExp is Exp in half the time, of x within +-700.
func QuickExp(x float64) float64 {
	// a sum of this size is rounded to a whole number, which is in its last bits
	const whole = 3 << 51
	t := float64(x*(128/math.Ln2)) + whole
	k := t - whole
	const hi, lo = 0x1.62e42feep-8, 0x1.a39ef35793c76p-40
	r := x - float64(k*hi)
	r -= float64(k * lo)
	r2 := float64(r * r)
	p := 1 + (r + float64(r2*(0.5+float64(r*(1.0/6))+float64(r2*(1.0/24)))))
	i := int64(math.Float64bits(t)<<13) >> 13
	return float64(float64(p*exp2Parts[i&127]) * math.Float64frombits(uint64(i>>7+1023)<<52))
}

// Sigmoid is the probability whose logit is z.
func Sigmoid(z float64) float64 { return 1 / (1 + Exp(-z)) }

// Logit is the logarithm of the odds of p.
func Logit(p float64) float64 { return Log(p) - Log(1-p) }

// Sqrt32 is the root of x, rounded once.
func Sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// Rsqrt32 is 1/sqrt(x) of a positive normal number with a relative error below 5e-6. It guesses
// from the exponent and takes two steps of Newton's method. A division and a root cost five times
// as much, and the approximate reciprocals of processors differ by maker.
func Rsqrt32(x float32) float32 {
	y := math.Float32frombits(0x5f375a86 - math.Float32bits(x)>>1)
	h := float32(0.5 * x)
	y = float32(y * (1.5 - float32(float32(h*y)*y)))
	return float32(y * (1.5 - float32(float32(h*y)*y)))
}

// Abs32 is |x|.
func Abs32(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// Finite is false of NaN and infinities.
func Finite(x float64) bool { return x-x == 0 }

// Normal is a random number that depends on the hash alone. Its distribution is about normal: it is
// the sum of four uniform numbers.
func Normal(h uint64, deviation float64) float32 {
	sum := h&0xffff + h>>16&0xffff + h>>32&0xffff + h>>48
	return float32(float64((float64(sum) - 131070) * (1 / 37837.2) * deviation))
}

// Normals fills v with the random numbers from number from on that hash h stands for.
func Normals(v []float32, h uint64, from int, deviation float64) {
	for i := range v {
		v[i] = Normal(Mix(h, uint64(from+i)), deviation)
	}
}

// Odd constants without a pattern in their bits.
const (
	OddA = 0x9E3779B97F4A7C15
	OddB = 0xD1B54A32D192ED03
	OddC = 0x8CB92BA72F3D8DD7
)

// Hash is the one hash of names and tokens in the program: 64 bits, made for short text. It is not
// keyed. Whoever chooses the tokens can make them collide, which costs precision and nothing else.
func Hash(b []byte) uint64 {
	n := len(b)
	h := uint64(n)*OddC ^ OddA
	for len(b) > 16 {
		h = Mix(binary.LittleEndian.Uint64(b)^h, binary.LittleEndian.Uint64(b[8:])^OddC)
		b = b[16:]
	}
	var lo, hi uint64
	switch n = len(b); {
	case n >= 8:
		lo, hi = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		lo, hi = uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[n-4:]))
	case n > 0:
		lo = uint64(b[0])<<16 | uint64(b[n>>1])<<8 | uint64(b[n-1])
	}
	return Mix(lo^h, hi^OddC)
}

// Mix folds two words into one, which depends on every bit of both: the halves of their product.
func Mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^OddB, b^OddA)
	return hi ^ lo ^ a
}
