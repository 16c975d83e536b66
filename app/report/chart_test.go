package report

import (
	"math"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
)

func TestTicksAreRound(t *testing.T) {
	f := func(low, high float64, log bool, want string) {
		t.Helper()
		var got []string
		for _, tick := range (scale{low, high, 0, 100, log}).ticks(4, short) {
			got = append(got, tick.Text)
			if tick.At < 0 || tick.At > 100 {
				t.Errorf("%v to %v: a tick at %v", low, high, tick.At)
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%v to %v: ticks %q, want %q", low, high, text, want)
		}
	}
	f(0, 1, false, "0 0.25 0.5 0.75 1")
	f(-0.03, 0.11, false, "0 0.05 0.1")
	f(0, 19_000, false, "0 5000 10,000 15,000")
	f(0.861, 1.187, false, "0.9 1 1.1")
	f(0.002, 0.3, true, "0.002 0.005 0.01 0.02 0.05 0.1 0.2")
	f(0.00001, 0.9, true, "1e-05 0.0001 0.001 0.01 0.1")
}

// A line breaks where a bucket has no value, and its band where a figure has no interval.
func TestLinesHaveGaps(t *testing.T) {
	p := newPeriod(0, 10*60_000)
	s := newLine("loss")
	for i := range p.buckets() {
		switch {
		case i == 3:
			s.add(i, certain(math.NaN()))
		case i == 5:
			s.add(i, certain(2))
		case i != 7:
			s.add(i, figure{1, 0.5, 1.5})
		}
	}
	c := overTime(p, "x", "Loss", look{unit: "nats"}, s)
	line := c.Lines[len(c.Lines)-1].Path
	if n := strings.Count(line, "M"); n != 3 {
		t.Errorf("the line has %d pieces, want 3: %s", n, line)
	}
	if len(c.Bands) != 4 {
		t.Errorf("the band has %d pieces, want 4", len(c.Bands))
	}
	if len(c.Marks) != p.buckets()-2 || !strings.Contains(c.Desc, "highest, 2, at 1970-01-01 00:") {
		t.Errorf("%d marks; %s", len(c.Marks), c.Desc)
	}
	for _, m := range c.Marks {
		if m.X < plotLeft || m.X > plotRight || m.Y < plotTop || m.Y > plotBottom {
			t.Errorf("a mark lies outside: %+v", m)
		}
	}
	if none := overTime(p, "x", "Loss", look{}, newLine("loss")); none != nil {
		t.Errorf("a chart of nothing: %+v", none)
	}
}

func TestTimesOfTicksAreFewAndInside(t *testing.T) {
	for _, length := range []event.Time{1000, 61_000, 3_600_000, 41_220_000, 86_400_000, 7 * 86_400_000, 400 * 86_400_000} {
		p := newPeriod(at("2026-11-24T07:13:20Z"), at("2026-11-24T07:13:20Z")+length)
		ticks := timeTicks(p, scale{float64(p.from), float64(p.to), plotLeft, plotRight, false})
		if len(ticks) < 1 || len(ticks) > 8 {
			t.Errorf("%s has %d ticks", p, len(ticks))
		}
		for _, tick := range ticks {
			if tick.At < plotLeft || tick.At > plotRight {
				t.Errorf("%s: %+v", p, tick)
			}
		}
	}
}

func TestCalibrationOfRareEventsIsDrawnByLogarithms(t *testing.T) {
	bins := []event.CalibrationBin{{Weight: 1000, Predicted: 0.1, Actual: 0}, {Weight: 1000, Predicted: 1, Actual: 1}, {Weight: 1000, Predicted: 50, Actual: 200}}
	c := calibrationPlot("x", "Calibration", bins)
	if !strings.Contains(c.X, "log scale") || len(c.Marks) != 3 || !strings.Contains(c.Desc, "3 bins") || !strings.Contains(c.Desc, "In 1 of them") {
		t.Errorf("%+v", c)
	}
	for _, m := range c.Marks {
		if math.IsNaN(m.X) || math.IsNaN(m.Y) || m.Y > plotBottom || m.Y < plotTop {
			t.Errorf("a mark lies outside: %+v", m)
		}
	}
	if none := calibrationPlot("x", "Calibration", []event.CalibrationBin{{}}); none != nil {
		t.Errorf("a plot of nothing: %+v", none)
	}
}

func TestNumbersArePutForPeople(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(thousands(0), "0")
	f(thousands(-1234567), "-1,234,567")
	f(percent(0), "0%")
	f(percent(0.0001234), "0.0123%")
	f(percent(0.0123456), "1.23%")
	f(percent(0.5), "50.0%")
	f(amount(0), "0.00")
	f(amount(1234.5), "1,234.50")
	f(amount(0.0826), "0.0826")
	f(amount(-0.5), "-0.500")
	f(amount(0.00000001), "0.000000")
	f(decimals(2)(-0.0001), "0.00")
	f(weight(2745.86), "2,745.9")
	f(weight(12), "12")
	f(edge(0.0005), "0.05%")
	f(certain(math.NaN()).text(short), none)
	f(figure{1, 0.5, math.Inf(1)}.text(short), "1 (0.5 to any)")
	f(plural(1, "country"), "1 country")
	f(plural(2000, "country"), "2,000 countries")
	f(article("impression"), "an impression")
	f(article("click"), "a click")
	f(cut("éé", 3), "é…")
}
