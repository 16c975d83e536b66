package codec

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// pieces cuts b at random places.
func pieces(r *rand.Rand, b []byte) (cut [][]byte) {
	for len(b) > 0 {
		k := min(len(b), r.IntN(20))
		cut, b = append(cut, b[:k]), b[k:]
	}
	return cut
}

func TestWhatWasWrittenIsReadHoweverItIsCut(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, half := range []bool{false, true} {
		for range 500 {
			weights, sorted := make([]float32, r.IntN(40)), make([]float64, r.IntN(40))
			for i := range weights {
				weights[i] = float32(r.IntN(1000)) / 8 // 16 bits hold it
			}
			for i := range sorted {
				sorted[i] = math.Floor(r.NormFloat64() * 100)
			}
			slices.Sort(sorted)
			e := Encoder{Half: half}
			e.U64(r.Uint64())
			e.Num(len(weights))
			e.Weights(weights)
			e.Sorted(sorted)
			e.F64s(sorted)
			e.Text([]byte("text"))
			e.Bool(true)
			message := Seal(slices.Clone(e.Buf), 0)
			d, intact := Open(pieces(r, message))
			d.Half = half
			d.U64()
			got := make([]float32, d.Num(2))
			d.Weights(got)
			again, same := d.Sorted(), make([]float64, len(sorted))
			d.Fill(same, "the list")
			text, yes := d.Take(d.Num(1)), d.Bool()
			if err := d.End(); err != nil || !intact || !yes || string(text) != "text" || !slices.Equal(got, weights) || !slices.Equal(again, sorted) || !slices.Equal(same, sorted) {
				t.Fatalf("half %v: %v, intact %v: %v, %v, %q", half, err, intact, got, again, text)
			}
			message[r.IntN(len(message))] ^= 1
			if _, intact := Open(pieces(r, message)); intact {
				t.Fatal("a damaged message counts as intact")
			}
		}
	}
}

func TestACountThatTheBytesCannotFillIsRefused(t *testing.T) {
	var e Encoder
	e.Num(1 << 30)
	d := NewDecoder(e.Buf, []byte("too few"))
	if v := d.F64s(); len(v) != 0 || !errors.Is(d.Err(), ErrShape) {
		t.Fatalf("%d values, %v", len(v), d.Err())
	}
	if d.U64() != 0 || d.Take(1) != nil {
		t.Fatal("something was read behind an error")
	}
}

func TestAWriterPassesEverythingOnInOrder(t *testing.T) {
	var out bytes.Buffer
	e := NewWriter(&out, "head")
	e.U32(1)
	e.Bytes([]byte("passed"))
	e.U32(2)
	sum, n, err := e.Close()
	body := "\x01\x00\x00\x00passed\x02\x00\x00\x00"
	if want := "head" + body + string(sum[:]); out.String() != want || n != int64(len(want)) || err != nil {
		t.Fatalf("%q, %d bytes: %v", out.String(), n, err)
	}
	f := NewWriter(nil, "")
	f.Bytes([]byte(body))
	if again, _, _ := f.Close(); again != sum {
		t.Fatal("the same bytes have another sum")
	}
	var p Pieces
	for range 3 {
		p.Room(pieceBytes - 10)
		p.Zeros(pieceBytes - 10)
	}
	length := 0
	p.Each(func(b []byte) { length += len(b) })
	if p = p.Recycle(); length != 3*(pieceBytes-10) || len(p.spare) != 3 {
		t.Fatalf("%d bytes, %d pieces to use again", length, len(p.spare))
	}
}
