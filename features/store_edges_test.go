package features

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"sync"
	"testing"

	"github.com/clickloop/clickloop/event"
)

func TestABatchThatContradictsItselfIsRefused(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := func(from, next int64, offsets ...int64) {
			t.Helper()
			var batch []Update
			for _, o := range offsets {
				batch = append(batch, Update{Key: "user:1", Offset: o, Ops: []Op{{Kind: OpAdd, Field: "n", Add: 1}}})
			}
			if err := b.Apply(t.Context(), from, Position{"aaaa", 0, next, 1, ""}, batch); err == nil || errors.Is(err, ErrMoved) {
				t.Fatalf("from %d to %d with offsets %v: %v", from, next, offsets, err)
			}
		}
		f(5, 4)
		f(0, 2, 2)
		f(0, 3, 1, 0)
	})
}

func TestAProfileWithThousandsOfFieldsIsFoldedWhole(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		l := &logOf{topicID: "aaaa"}
		for offset := range int64(60) {
			u := Update{Key: "user:1", Offset: offset}
			for i := range 200 {
				u.Ops = append(u.Ops, Op{Kind: OpFirst, Field: fmt.Sprintf("type-%d", int(offset)*200+i), Time: 1.7e12, Value: "x"})
			}
			l.records = append(l.records, []Update{u})
		}
		if err := l.fold(t, b, 0, 30); err != nil {
			t.Fatal(err)
		}
		b.forgetPosition(t, "aaaa", 0, 12)
		if err := l.fold(t, b, 12, 60); err != nil {
			t.Fatal(err)
		}
		sameProfiles(t, "wide", readAll(t, b), naive(l))
	})
}

func TestFieldsOfTheStoresOwnAreOutOfReach(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		ops := []Op{{Kind: OpFirst, Field: fenceField("aaaa", 0), Time: 1, Value: "x"}, {Kind: OpAdd, Field: "n", Add: 1}}
		for offset := range int64(2) {
			if err := b.Apply(t.Context(), offset, Position{"aaaa", 0, offset + 1, 1, ""}, []Update{{Key: "user:1", Offset: offset, Ops: ops}}); err != nil {
				t.Fatal(err)
			}
		}
		if got := readAll(t, b)["user:1"].Fields; !maps.Equal(got, map[string]string{"n": "2"}) {
			t.Fatal(got)
		}
	})
}

func TestSumsThatExceed64BitsStayAsTheyWere(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		add := func(from, n int64) {
			t.Helper()
			batch := []Update{{Key: "user:1", Offset: from, Ops: []Op{{Kind: OpAdd, Field: "n", Add: n}}}}
			if err := b.Apply(t.Context(), from, Position{"aaaa", 0, from + 1, 1, ""}, batch); err != nil {
				t.Fatal(err)
			}
		}
		add(0, math.MaxInt64-5)
		add(1, 5)
		got := readAll(t, b)["user:1"].Fields["n"]
		if got != fmt.Sprint(int64(math.MaxInt64)) {
			t.Fatal(got)
		}
		if r, ok := b.Store.(*Redis); ok && r.profiles == "t.profiles:{" {
			t.Skip("the embedded Redis wraps around")
		}
		add(2, 1)
		if again := readAll(t, b)["user:1"].Fields["n"]; again != got {
			t.Fatal(again)
		}
	})
}

func TestStampedValuesReadBack(t *testing.T) {
	at, value, ok := SplitStamped(stamped(1795600800123, "a b"))
	if at != 1795600800123 || value != "a b" || !ok {
		t.Fatal(at, value, ok)
	}
	for _, bad := range []string{"", "17", "x y"} {
		if _, _, ok := SplitStamped(bad); ok {
			t.Errorf("%q is taken for a time and a value", bad)
		}
	}
	if !reflect.DeepEqual(decodeLast(encodeLast(event.Value{Kind: event.Number, Num: 1.25})), number(1.25)) {
		t.Fatal("a last number does not read back")
	}
}

func TestStoresServeReadersWhilePartitionsAreFolded(t *testing.T) {
	s := mustCompile(t, aggregateConfig)
	eachBackend(t, func(t *testing.T, b backend) {
		var work sync.WaitGroup
		const partitions, each = 3, 40
		for p := range partitions {
			work.Go(func() {
				for offset := range int64(each) {
					e := event.Event{Type: "click", User: "u1", Time: testNow - event.Time(offset)}
					batch := s.Updates(nil, &e, offset)
					if err := b.Apply(t.Context(), offset, Position{"aaaa", p, offset + 1, testNow, ""}, batch); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 3 {
			work.Go(func() {
				r := &Request{Time: testNow, User: "u1"}
				var before float64
				for range each {
					profiles, err := b.Read(t.Context(), s.Keys(nil, r))
					if err != nil {
						t.Error(err)
						return
					}
					v, _ := s.Assemble(nil, r, profiles).Lookup("user.click_count")
					if v.Num < before {
						t.Errorf("the count went back from %v to %v", before, v.Num)
					}
					before = v.Num
				}
			})
		}
		work.Wait()
		got := assembled(t, s, b, &Request{Time: testNow, User: "u1"})
		for _, name := range []string{"user.click_count", "user.click_count_1h"} {
			if v, _ := got.Lookup(name); v.Num != partitions*each {
				t.Fatalf("%s is %v", name, v.Num)
			}
		}
	})
}
