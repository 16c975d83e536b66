package event

import (
	"encoding/json"
	"strconv"
	"testing"
)

// benchPrediction has 20 features and about 1 KB.
func benchPrediction() Prediction {
	p := Prediction{ID: "0190f3a2-77d5-7b1e-9c55-3a8f1c2b4d5e.0", Request: "0190f3a2-77d5-7b1e-9c55-3a8f1c2b4d5e", Row: 4711, Time: 1795600800123, User: "user-829174",
		Ad: "ad-1754", Campaign: "campaign-93", P: []ObjectiveP{{"click", 0.012345678901234}, {"conversion", 0.00098765432109}},
		Model: []ObjectiveVersion{{"click", "click@184203"}, {"conversion", "conversion@99120"}}, Propensity: 0.95, Policy: "epsilon",
		AgeMs: []Age{{"user", 340}, {"model", 120}}}
	for i := range 10 {
		p.Features = append(p.Features,
			Field{"context_" + strconv.Itoa(i), Value{Kind: String, Str: "value-" + strconv.Itoa(i*37)}},
			Field{"user.click_count_" + strconv.Itoa(i), Value{Kind: Number, Num: float64(i) * 1.25}})
	}
	return p
}

func BenchmarkAppendPrediction(b *testing.B) {
	p := benchPrediction()
	var line []byte
	b.ReportAllocs()
	for b.Loop() {
		line = p.AppendJSON(line[:0])
	}
	b.SetBytes(int64(len(line)))
}

func BenchmarkParsePrediction(b *testing.B) {
	p := benchPrediction()
	line := p.AppendJSON(nil)
	var into Prediction
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if err := into.UnmarshalJSON(line); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncodingJSONIntoMap is what the standard library takes for the same line.
func BenchmarkEncodingJSONIntoMap(b *testing.B) {
	p := benchPrediction()
	line := p.AppendJSON(nil)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		var into map[string]any
		if err := json.Unmarshal(line, &into); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTime(b *testing.B) {
	at := benchPrediction().Time
	text := at.String()
	var line []byte
	b.Run("append", func(b *testing.B) {
		for b.Loop() {
			line = at.AppendJSON(line[:0])
		}
	})
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			if _, err := ParseTime(text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
