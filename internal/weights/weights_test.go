package weights

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/clickloop/clickloop/stream"
)

func TestPartsMakeTheMessageTheyWereCutFrom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var a Assembly
	for range 200 {
		body := make([]byte, rng.IntN(100))
		for i := range body {
			body[i] = byte(rng.Uint32())
		}
		kind := []string{Snapshot, Delta}[rng.IntN(2)]
		want := Head{Kind: kind, Epoch: rng.Int64N(9), From: rng.Int64N(99), To: rng.Int64N(99)}
		records := CutAt(7, want, "click", body, stream.Header{Key: "schema", Value: []byte("model/1")})
		for i, r := range records {
			h, err := ParseHead(r.Headers)
			if err != nil {
				t.Fatal(err)
			}
			m, whole := a.Add(h, r.Value)
			if whole != (i == len(records)-1) {
				t.Fatalf("part %d of %d: whole %v", i, len(records), whole)
			}
			want.Parts = int64(len(records))
			if whole && (m.Head != want || !bytes.Equal(bytes.Join(m.Body, nil), body)) {
				t.Fatalf("got %+v %x, want %+v %x", m.Head, m.Body, want, body)
			}
		}
	}
}

func TestPartsOutOfOrderMakeNoMessage(t *testing.T) {
	f := func(order ...int) {
		t.Helper()
		records := CutAt(10, Head{Kind: Delta, From: 1, To: 2}, "k", make([]byte, 30))
		other := CutAt(10, Head{Kind: Delta, From: 1, To: 3}, "k", make([]byte, 30))
		all := append(records, other...) // 0 1 2, and 3 4 5 of another message
		var a Assembly
		for _, i := range order {
			h, err := ParseHead(all[i].Headers)
			if err != nil {
				t.Fatal(err)
			}
			if m, whole := a.Add(h, all[i].Value); whole {
				t.Errorf("order %v made %+v", order, m.Head)
			}
		}
	}
	f(0, 2)
	f(1, 2)
	f(0, 1, 1, 2)
	f(0, 1, 5)
	f(0, 4, 5)
	f(0, 1, 3, 2)
	f(2, 1, 0)
}

func TestASnapshotTellsThatItIsCurrent(t *testing.T) {
	for _, want := range []Head{{Kind: Snapshot, Parts: 1, To: 9}, {Kind: Snapshot, Parts: 1, To: 9, Current: true}} {
		if got, err := ParseHead(want.headers()); got != want {
			t.Errorf("%+v reads back as %+v, %v", want, got, err)
		}
	}
}

func TestHeadersThatSayTooLittleAreRefused(t *testing.T) {
	good := (&Head{Kind: Delta, Part: 0, Parts: 1}).headers()
	if _, err := ParseHead(good); err != nil {
		t.Fatal(err)
	}
	f := func(name, value string) {
		t.Helper()
		headers := slices.Clone(good)
		i := slices.IndexFunc(headers, func(h stream.Header) bool { return h.Key == name })
		headers[i].Value = []byte(value)
		if _, err := ParseHead(headers); err == nil {
			t.Errorf("%s %q was taken", name, value)
		}
		if _, err := ParseHead(slices.Delete(headers, i, i+1)); err == nil {
			t.Errorf("no %s was taken", name)
		}
	}
	f("kind", "other")
	f("epoch", "-1")
	f("epoch", "x")
	f("from", "")
	f("to", "1e3")
	f("part", "1")
	f("parts", "0")
	f("parts", "1000000")
	f("check", "0")
	f("epoch", "9000001")
	f("kind", Snapshot)
	f("to", "7")
}
