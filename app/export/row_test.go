package export

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/stream"
)

// The schemas say what messages hold: each member has a column of a kind that takes it.
func TestEveryMemberOfEverySchemaHasAColumn(t *testing.T) {
	for schema, list := range members {
		name, _, _ := strings.Cut(schema, "/")
		b, err := os.ReadFile("../../docs/schemas/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var doc struct{ Properties map[string]property }
		if err := stdjson.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		kinds := map[string]kind{}
		for _, m := range list {
			kinds[m.name] = m.kind
		}
		for member, p := range doc.Properties {
			k, ok := kinds[member]
			if !ok {
				t.Errorf("%s: %s has no column", schema, member)
				continue
			}
			if !p.takes(k) {
				t.Errorf("%s: %s is %+v, and its column is of kind %d", schema, member, p, k)
			}
			for child := range p.Properties {
				if k == record && kinds[member+"."+child] == none {
					t.Errorf("%s: %s.%s has no column", schema, member, child)
				}
			}
		}
		for member := range kinds {
			if _, ok := doc.Properties[member]; !ok && !strings.Contains(member, ".") {
				t.Errorf("%s has a column %s, and its schema has no such member", schema, member)
			}
		}
		if at := eventTime[schema]; at != "" && kinds[at] != moment {
			t.Errorf("%s: %s is no time", schema, at)
		}
	}
}

// property is a member in a schema.
type property struct {
	Type                 string
	Ref                  string `json:"$ref"`
	Format, Pattern      string
	Enum                 []any
	Properties           map[string]property
	AdditionalProperties any
}

func (p property) takes(k kind) bool {
	inner, _ := p.AdditionalProperties.(map[string]any)
	switch {
	case p.Ref == "#/$defs/time" || p.Format == "date-time":
		return k == moment
	case p.Ref == "#/$defs/fields":
		return k == facts
	case p.Ref == "#/$defs/interval" || p.Type == "array":
		return k == tree
	case p.Type == "string" || p.Enum != nil:
		return k == text || k == moment
	case p.Type == "integer":
		return k == integer
	case p.Type == "number":
		return k == number
	case p.Type == "boolean":
		return k == flag
	case p.Type == "object" && inner["type"] == "number":
		return k == numbers
	case p.Type == "object" && inner["type"] == "integer":
		return k == integers
	case p.Type == "object" && inner["type"] == "string":
		return k == texts
	}
	return k == facts || k == tree || k == record
}

// decoded is a record as a row, with columns for what it has.
func decoded(t *testing.T, topic string, r stream.Record, max int) (*decoder, *row) {
	t.Helper()
	c := newColumns(layoutOf(topic), max, nil)
	d, to := newDecoder(c), &row{}
	d.decode(&r, to)
	c.meet(d.newKeys)
	d = newDecoder(c)
	to = &row{}
	d.decode(&r, to)
	return d, to
}

func TestWhatAColumnDoesNotSayIsInTheRest(t *testing.T) {
	f := func(message, rest, wrong string, names ...string) {
		t.Helper()
		d, r := decoded(t, "predictions", stream.Record{Value: []byte(message)}, 10)
		if got := r.cells[d.scalars].text; got != rest {
			t.Errorf("%s: the rest is %s, want %s", message, got, rest)
		}
		if got := r.cells[d.scalars+1].text; !strings.Contains(got, wrong) || (got == "") != (wrong == "") {
			t.Errorf("%s: the error is %q, want %q", message, got, wrong)
		}
		var got []string
		for _, c := range d.columns.list {
			got = append(got, c.Column+" "+c.Kind)
		}
		if fmt.Sprint(got) != fmt.Sprint(names) {
			t.Errorf("%s: columns %q, want %q", message, got, names)
		}
	}
	f(`{"id":"a","time":"2026-11-25T09:00:00.123Z","p":{"click":0.5},"features":{}}`, "", "", "p.click number")
	f(`{"id":"a","shoe":[1, "x"],"Id":null}`, `{"shoe":[1, "x"],"Id":null}`, "")
	f(`{"id":7}`, `{"id":7}`, "id is not a text")
	f(`{"row":1.5,"w":"1"}`, `{"row":1.5,"w":"1"}`, "row is not a whole number; w is not a number")
	f(`{"row":90071992547409931}`, "", "")
	f(`{"w":90071992547409931}`, `{"w":90071992547409931}`, "")
	f(`{"time":"2026-11-25T10:00:00+01:00"}`, `{"time":"2026-11-25T10:00:00+01:00"}`, "")
	f(`{"time":"2026-11-25T10:00:00.123456Z"}`, `{"time":"2026-11-25T10:00:00.123456Z"}`, "")
	f(`{"time":"yesterday"}`, `{"time":"yesterday"}`, "time is not")
	f(`{"time":null,"features":null,"p":null,"id":null}`, "", "")
	f(`{"p":{"click":"much"}}`, `{"p":{"click":"much"}}`, "p is not an object of numbers")
	f(`{"p":[1]}`, `{"p":[1]}`, "p is not an object of numbers")
	f(`{"model":{"click":"click@7"},"age_ms":{"user":3}}`, "", "", "model.click text", "age_ms.user integer")
	f(`{"features":{"a":1,"b":"x","c":null,"d":[["t",0.5]],"e":true,"f":{},"g":{"h":2}}}`, "", "",
		"features.a number", "features.b text", "features.d text", "features.e text", "features.f text", "features.g.h number")
	f(`{"features":{"a":{"b":1},"a.b":2}}`, `{"features":{"a":{"b":1},"a.b":2}}`, "features is not an object with names that are given once")
	f(`{"features":{"A":1,"a":2}}`, "", "", "features.A number", "features.a:number number") // DuckDB takes A for a
	f(`{"features":{"id":90071992547409931}}`, "", "", "features.id text")
	f(`{"source.topic":"x"}`, `{"source.topic":"x"}`, "")
}

func TestAMessageThatIsNotJSONIsKeptAsItIs(t *testing.T) {
	f := func(message []byte, wrong string) {
		t.Helper()
		d, r := decoded(t, "predictions", stream.Record{Value: message, Offset: 7}, 10)
		at := r.cells[d.scalars:]
		if at[6].text != string(message) || !strings.Contains(at[1].text, wrong) || at[3].int != 7 {
			t.Errorf("%q: payload %q, error %q", message, at[6].text, at[1].text)
		}
		if r.cells[0].kind != none || r.maps[0] != nil {
			t.Errorf("%q: part of it is in columns", message)
		}
	}
	f([]byte("no JSON"), "not read")
	f([]byte(""), "not read")
	f([]byte("null"), "null")
	f([]byte("[1]"), "array")
	f([]byte(`{"id":"a","p":{"click":0.1},`), "not read")
	f([]byte(`{"id":"a","id":"b"}`), "id")
	f([]byte(`{"id":"a","w":1e999}`), "too large")
	f([]byte("{\"id\":\"\xff\"}"), "UTF-8")
	f([]byte{0, 0, 0, 0, 1, '{', '}'}, "not read") // a frame of a schema registry
	f([]byte(`{"id":"a"} {"id":"b"}`), "not read")
	f([]byte("\xef\xbb\xbf{}"), "not read")
	d, r := decoded(t, "predictions", stream.Record{}, 10)
	if c := r.cells[d.scalars+6]; c.kind != none || r.cells[d.scalars+1].kind != none {
		t.Errorf("a tombstone has a payload or an error: %+v", c)
	}
	_, r = decoded(t, "predictions", stream.Record{Value: []byte(`{"id":"\ud83d"}`)}, 10)
	if r.cells[d.scalars+6].text != `{"id":"\ud83d"}` || !strings.Contains(r.cells[d.scalars+1].text, "half") {
		t.Error("half a character is replaced, and the message is not kept")
	}
}

func TestKeysAndHeadersThatAreNoTextOrRepeat(t *testing.T) {
	d, r := decoded(t, "events", stream.Record{Key: []byte{0xff}, Headers: []stream.Header{{Key: "a", Value: []byte("1")}, {Key: "a"}, {Key: "a", Value: []byte{0xfe}}}}, 10)
	if got := r.cells[d.scalars+5].text; got != "base64:/w==" {
		t.Errorf("the key is %q", got)
	}
	want := []entry{{"a", cell{kind: text, text: "1"}}, {"a#2", cell{}}, {"a#3", cell{kind: text, text: "base64:/g=="}}}
	if got := r.maps[d.maps]; !reflect.DeepEqual(got, want) {
		t.Errorf("headers %+v", got)
	}
}

// A column has one type in all files, or tools refuse to read them together.
func TestANameWithValuesOfTwoKindsHasTwoColumns(t *testing.T) {
	c := newColumns(layoutOf("predictions"), 3, nil)
	features := c.layout.index["features"]
	c.meet([]entryKey{{features, "age", text}, {features, "age", number}, {features, "b", number}, {features, "c", number}})
	want := []found{{"features", "age", "text", "features.age"}, {"features", "age", "number", "features.age:number"}, {"features", "b", "number", "features.b"}}
	if !reflect.DeepEqual(c.list, want) {
		t.Errorf("columns %+v", c.list)
	}
	if some, n := c.examples(); n != 1 || some[0] != "features.c" {
		t.Errorf("without a column: %d %v", n, some)
	}
	if again := newColumns(c.layout, 3, c.list); !reflect.DeepEqual(again.list, want) {
		t.Errorf("a later run has columns %+v", again.list)
	}
}

// TestNothingOfAMessageIsLost makes messages of any shape, and makes them again from their rows.
func TestNothingOfAMessageIsLost(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	for range 20_000 {
		topic := []string{"predictions", "events", "examples.click", "evaluations", "bids", "campaigns", "other"}[random.IntN(7)]
		l := layoutOf(topic)
		message := map[string]any{}
		for range random.IntN(12) {
			name := fmt.Sprintf("m%d", random.IntN(5))
			if len(l.members) > 0 && random.IntN(5) > 0 {
				name, _, _ = strings.Cut(l.members[random.IntN(len(l.members))].name, ".")
			}
			message[name] = anything(random, 3)
		}
		value, err := stdjson.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		d, r := decoded(t, topic, stream.Record{Value: value}, random.IntN(5))
		if got, want := plain(rebuilt(t, d, r)), plain(flat(l, message)); got != want {
			t.Fatalf("seed %d, topic %s: of\n%s\nthe row says\n%s\nand the message\n%s\nerror %s", seed, topic, value, got, want, r.cells[d.scalars+1].text)
		}
	}
}

func anything(random *rand.Rand, depth int) any {
	switch n := random.IntN(9); {
	case n == 0:
		return nil
	case n == 1:
		return random.IntN(2) == 0
	case n == 2:
		return stdjson.Number(fmt.Sprint(random.Int64() - random.Int64()))
	case n == 3:
		return stdjson.Number(fmt.Sprint(random.NormFloat64()))
	case n == 4:
		return stdjson.Number(fmt.Sprint(random.IntN(100)))
	case n == 5:
		return []string{"2026-11-25T09:00:00.000Z", "2026-11-25T09:00:00+02:00", "", "é\n\"", "12"}[random.IntN(5)]
	case n == 6 && depth > 0:
		list := []any{}
		for range random.IntN(3) {
			list = append(list, anything(random, depth-1))
		}
		return list
	case depth > 0:
		object := map[string]any{}
		for range random.IntN(4) {
			object[[]string{"a", "b", "a.b", "topic", "offset"}[random.IntN(5)]] = anything(random, depth-1)
		}
		return object
	}
	return "x"
}

// rebuilt makes the members of a message from its row. The rest has the last word.
func rebuilt(t *testing.T, d *decoder, r *row) map[string]any {
	t.Helper()
	m := map[string]any{}
	for i, of := range d.layout.members {
		switch {
		case of.kind == record:
		case of.kind.isMap():
			if list := r.maps[d.places[i]]; list != nil {
				m[of.name] = parsed(t, string(appendMap(nil, list)))
			}
		case r.cells[d.places[i]].kind != none:
			b := appendCell(nil, of.kind, &r.cells[d.places[i]])
			if of.kind == text || of.kind == moment {
				m[of.name] = strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(string(b), `"`), `"`), `""`, `"`)
			} else {
				csv := string(b)
				if strings.HasPrefix(csv, `"`) {
					csv = strings.ReplaceAll(csv[1:len(csv)-1], `""`, `"`)
				}
				m[of.name] = parsed(t, csv)
			}
		}
	}
	if rest := r.cells[d.scalars]; rest.kind != none {
		for name, v := range parsed(t, rest.text).(map[string]any) {
			for child := range m {
				if strings.HasPrefix(child, name+".") && d.layout.index[name] > 0 && d.layout.members[d.layout.index[name]].kind == record {
					delete(m, child)
				}
			}
			m[name] = v
		}
	}
	return flat(d.layout, m)
}

// flat flattens the members that columns have flat, and leaves out nulls.
func flat(l *layout, message map[string]any) map[string]any {
	m := map[string]any{}
	for name, v := range message {
		i, known := l.index[name]
		object, isObject := v.(map[string]any)
		switch {
		case v == nil:
		case known && l.members[i].kind == record && isObject:
			for child, v := range object {
				if v != nil {
					m[name+"."+child] = v
				}
			}
		case known && l.members[i].kind == facts && isObject:
			f := map[string]any{}
			if m[name] = v; flatten("", object, f) {
				m[name] = f // without one name for two values
			}
		default:
			m[name] = v
		}
	}
	return m
}

// flatten returns false where two values have one name.
func flatten(prefix string, object map[string]any, to map[string]any) bool {
	ok := true
	for name, v := range object {
		inner, nested := v.(map[string]any)
		if nested && len(inner) > 0 {
			ok = flatten(prefix+name+".", inner, to) && ok
			continue
		}
		_, twice := to[prefix+name]
		ok = ok && !twice
		to[prefix+name] = v
	}
	return ok
}

// plain writes values so that equal ones are equal texts. Of facts, digits that a float rounds may
// be a text.
func plain(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var b bytes.Buffer
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		for _, name := range slices.Sorted(slices.Values(names)) {
			fmt.Fprintf(&b, "%q:%s,", name, plain(v[name]))
		}
		return "{" + b.String() + "}"
	case []any:
		texts := []string{}
		for _, e := range v {
			texts = append(texts, plain(e))
		}
		return "[" + strings.Join(texts, ",") + "]"
	case stdjson.Number:
		if f, err := v.Float64(); err == nil && (len(v) < 16 || strings.ContainsAny(string(v), ".e")) {
			return fmt.Sprint(f)
		}
		return string(v)
	}
	return fmt.Sprint(v)
}

func parsed(t *testing.T, s string) any {
	t.Helper()
	d := stdjson.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %q", err, s)
	}
	return v
}
