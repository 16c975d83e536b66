package catalogue

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/expression"
)

// randomItem has some of a few fields, of few values.
func randomItem(r *rand.Rand, id string) event.Item {
	i := event.Item{ID: id, Value: 1, Fields: event.Fields{}}
	if r.IntN(3) > 0 {
		i.Campaign = fmt.Sprint("c", r.IntN(5))
	}
	for _, name := range []string{"brand", "price", "tags", "z"} {
		switch v := r.IntN(6); {
		case v == 0:
		case name == "price":
			i.Fields = append(i.Fields, event.Field{Name: name, Value: num(float64(r.IntN(2000)))})
		case name == "tags":
			i.Fields = append(i.Fields, event.Field{Name: name, Value: event.Value{Kind: event.List, List: []event.WeightedToken{{Token: fmt.Sprint(v), Weight: 0.5}}}})
		default:
			i.Fields = append(i.Fields, event.Field{Name: name, Value: str(fmt.Sprint(v))})
		}
	}
	if r.IntN(10) == 0 {
		i.Value = 2
	}
	return i
}

func text(i event.Item) string { return string(i.AppendJSON(nil)) }

// holds compares a View with the items that it should have.
func holds(t *testing.T, c *Catalogue, v *View, want map[string]string) {
	t.Helper()
	n := 0
	set := v.All(nil)
	for at := range Slot(v.slots) {
		id := v.ID(at)
		if set.Has(at) != (id != "") {
			t.Fatalf("slot %d of %q is in the set: %v", at, id, set.Has(at))
		}
		if id == "" {
			continue
		}
		n++
		if got := text(v.Item(at)); got != want[id] {
			t.Fatalf("%s is %s, want %s", id, got, want[id])
		}
	}
	if n != len(want) || v.Items() != n || set.Len() != n {
		t.Fatalf("%d items, the view says %d, the set %d, want %d", n, v.Items(), set.Len(), len(want))
	}
}

// A View is what was put and not deleted when it was published, and stays so.
func TestAViewIsTheItemsOfItsMomentForEver(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	c := New("items", Config{MaxItems: 1 << 20, MaxBytes: 1 << 30})
	now := map[string]string{}
	type moment struct {
		v    *View
		want map[string]string
	}
	var moments []moment
	for range 60 {
		for range 300 {
			id := fmt.Sprint("i", r.IntN(3000))
			if r.IntN(3) == 0 {
				if _, ok := now[id]; c.delete(id) != ok {
					t.Fatalf("deleting %s", id)
				}
				delete(now, id)
				continue
			}
			i := randomItem(r, id)
			if err := c.put(&i); err != nil {
				t.Fatal(err)
			}
			now[id] = text(i)
		}
		c.publish()
		copied := map[string]string{}
		for id, i := range now {
			copied[id] = i
		}
		moments = append(moments, moment{c.View(), copied})
	}
	for _, m := range moments {
		holds(t, c, m.v, m.want)
	}
	for id := range now {
		c.delete(id)
	}
	c.publish()
	holds(t, c, c.View(), nil)
	if b := c.Bytes(); b != 0 {
		t.Errorf("an empty catalogue takes %d bytes", b)
	}
}

func TestFieldsBeyondTheBoundAreRefused(t *testing.T) {
	c := New("items", Config{MaxItems: 10, MaxBytes: 1 << 20})
	for i := range maxColumns - 1 {
		item := event.Item{ID: "a", Value: 1, Fields: facts(fmt.Sprint("f", i), i)}
		if err := c.put(&item); err != nil {
			t.Fatal(err)
		}
	}
	item := event.Item{ID: "b", Value: 1, Fields: facts("more", 1)}
	if err := c.put(&item); err == nil || !strings.Contains(err.Error(), `"more" is one too many`) {
		t.Errorf("%v", err)
	}
	if c.publish(); c.View().Items() != 1 {
		t.Error("the item is there")
	}
}

func TestBytesAreBounded(t *testing.T) {
	c := New("items", Config{MaxItems: 1000, MaxBytes: 20_000})
	n := 0
	for i := range 1000 {
		item := event.Item{ID: fmt.Sprint(i), Value: 1, Fields: facts("title", strings.Repeat("x", 100)+fmt.Sprint(i))}
		if c.put(&item) == nil {
			n++
		}
	}
	c.publish()
	if b := c.Bytes(); n < 5 || n > 30 || b > 25_000 || c.Takes("new", 1) == nil || c.Takes("0", 1) != nil {
		t.Errorf("%d items of %d bytes", n, b)
	}
}

// A filter gives what its expression gives item by item, through changes, and with the results of
// former Views.
func TestAFilterPassesWhatItsExpressionDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	c := New("items", Config{MaxItems: 1 << 20, MaxBytes: 1 << 30})
	filters := []string{
		`item.brand == "3"`, `item.price < 700`, `item.price < 700 and item.brand != "1"`, `not (item.price >= 700) or item.z == "2"`,
		`(item.price ?? 0) < context.budget`, `item.campaign in ["c1", "c3"]`, `item.id == "i7" or item.price > 1990`,
		`item.campaign == nil`, `item.price + context.budget > 900`, `item.nothing == nil and item.brand == context.brand`, `item.brand in item.tags`,
	}
	for round := range 12 {
		for range 400 {
			id := fmt.Sprint("i", r.IntN(2500))
			if i := randomItem(r, id); r.IntN(4) > 0 {
				_ = c.put(&i)
			} else {
				c.delete(id)
			}
		}
		c.publish()
		v := c.View()
		context := facts("budget", 300*(round%3), "brand", "4")
		for _, filter := range filters {
			set := v.All(nil)
			if _, err := c.Match(set, v, filter, context); err != nil {
				t.Fatalf("%s: %v", filter, err)
			}
			for at := range Slot(v.slots) {
				if want := v.ID(at) != "" && passesAlone(t, filter, v.Item(at), context); set.Has(at) != want {
					t.Fatalf("%s: %s passes: %v, want %v", filter, text(v.Item(at)), set.Has(at), want)
				}
			}
		}
	}
	if n := len(c.filters.results); n > maxFilters {
		t.Errorf("the results of %d filters are kept", n)
	}
}

func passesAlone(t *testing.T, filter string, i event.Item, context event.Fields) bool {
	p, err := expression.Compile(filter, filterNames)
	if err != nil {
		t.Fatal(err)
	}
	var run expression.Run
	for _, ref := range p.Refs() {
		from := context
		if ref.Group == groupItem {
			from = append(facts("id", i.ID), i.Fields...)
			if i.Campaign != "" {
				from = append(from, facts("campaign", i.Campaign)...)
			}
		}
		v, _ := from.Lookup(ref.Field)
		run.Values = append(run.Values, v)
	}
	ok, err := p.Bool(&run)
	return ok && err == nil
}

func TestResultsOfFiltersAreBounded(t *testing.T) {
	c := New("items", Config{MaxItems: 10, MaxBytes: 1 << 20})
	for i := range 5 * maxFilters {
		_, err := c.Match(nil, c.View(), fmt.Sprintf("item.price < context.budget + %d", i%7), facts("budget", i))
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.filters.results); n != maxFilters || len(c.filters.order) != n {
		t.Errorf("the results of %d filters are kept", n)
	}
}
