package export

import (
	"bytes"
	"encoding/csv"
	stdjson "encoding/json"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/stream"
	"github.com/parquet-go/parquet-go"
)

// written are records as one file.
func written(t *testing.T, f Format, records ...stream.Record) string {
	t.Helper()
	e := &exporter{cfg: Config{Format: f}, layout: layoutOf("predictions")}
	e.columns = newColumns(e.layout, 10, nil)
	e.discover(records)
	var b bytes.Buffer
	if err := e.writeTable(records, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCSVTellsNullsFromEmptyTexts(t *testing.T) {
	got := written(t, CSV,
		stream.Record{Offset: 1, Value: []byte(`{"id":"","user":"a,\"b\"\r\nc","features":{"x":"","y":1.5}}`)},
		stream.Record{Offset: 2, Value: []byte("\xff"), Key: []byte{}})
	rows, err := csv.NewReader(strings.NewReader(got)).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%v in %q", err, got)
	}
	raw := strings.SplitAfter(got, "\r\n")
	if !strings.HasPrefix(raw[1], `"",,,,"a,""b""`) { // id is empty, request is null
		t.Errorf("the first row is %q", raw[1])
	}
	last := rows[2]
	if last[len(last)-1] != "/w==" {
		t.Errorf("the payload is %q", last)
	}
	if !strings.Contains(got, `,"{""x"":"""",""y"":1.5}",`) {
		t.Errorf("the map is not JSON in %q", got)
	}
	if !strings.HasSuffix(raw[0], ",features.x,features.y,kafka_payload_base64\r\n") {
		t.Errorf("the header is %q", raw[0])
	}
}

func TestLinesAreMessagesAsTheyAre(t *testing.T) {
	f := func(r stream.Record, envelope bool, want string) {
		t.Helper()
		if got := string(appendLine(nil, "t", &r, envelope)); got != want+"\n" {
			t.Errorf("got %s, want %s", got, want)
		}
		if !stdjson.Valid([]byte(want)) {
			t.Errorf("%s is no JSON", want)
		}
	}
	at := stream.Record{Partition: 1, Offset: 2, Time: start, Key: []byte("k")}
	with := func(value []byte) stream.Record { r := at; r.Value = value; return r }
	f(with([]byte(`{"a": 1.50}`)), false, `{"a": 1.50}`)
	f(with([]byte("{\"a\":\n1}")), false, `{"a":1}`)
	const head = `{"topic":"t","partition":1,"offset":2,"tstype":"create","ts":1764061200000,"key":"k",`
	f(with([]byte(`{"a":1}`)), true, head+`"payload":"{\"a\":1}"}`)
	f(with([]byte(`{"a":1`)), false, head+`"payload":"{\"a\":1"}`)
	f(with(nil), false, head+`"payload":null}`)
	f(with([]byte{0xff}), false, head+`"payload_base64":"/w=="}`)
	at.Headers = []stream.Header{{Key: "h", Value: []byte("v")}, {Key: "n"}}
	f(with([]byte(`1`)), true, `{"topic":"t","partition":1,"offset":2,"tstype":"create","ts":1764061200000,"headers":["h","v","n",null],"key":"k","payload":"1"}`)
}

func TestParquetHasMapsAndColumnsWithTheirNulls(t *testing.T) {
	type fact struct {
		Number *float64 `parquet:"number"`
		Text   *string  `parquet:"text"`
		JSON   *string  `parquet:"json"`
	}
	type columns struct {
		ID       *string            `parquet:"id"`
		P        map[string]float64 `parquet:"p"`
		Features map[string]fact    `parquet:"features"`
		X        *string            `parquet:"features.x"`
		N        *float64           `parquet:"features.n"`
		Payload  []byte             `parquet:"kafka_payload"`
	}
	file := written(t, Parquet,
		stream.Record{Value: []byte(`{"id":"a","p":{"click":0.25},"features":{"x":"","n":1.5,"l":["t"],"z":null}}`)},
		stream.Record{Value: []byte(`{"id":"","features":{}}`)},
		stream.Record{Value: []byte("\xff\x00")})
	r := parquet.NewGenericReader[columns](strings.NewReader(file))
	defer r.Close()
	rows := make([]columns, 3)
	if n, err := r.Read(rows); n != 3 {
		t.Fatal(err)
	}
	if f := rows[0].Features; len(f) != 4 || *f["n"].Number != 1.5 || *f["x"].Text != "" || *f["l"].JSON != `["t"]` || f["z"] != (fact{}) || f["n"].Text != nil {
		t.Errorf("features %+v", f)
	}
	if rows[0].P["click"] != 0.25 || *rows[0].X != "" || *rows[0].N != 1.5 || *rows[1].ID != "" || rows[1].X != nil {
		t.Errorf("rows %+v", rows)
	}
	if rows[2].ID != nil || string(rows[2].Payload) != "\xff\x00" {
		t.Errorf("the payload is %q", rows[2].Payload)
	}
}
