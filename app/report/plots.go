package report

import (
	"fmt"
	"math"

	"github.com/clickloop/clickloop/event"
)

// calibrationPlot draws the mean label of each bin over its mean prediction. On the diagonal, as
// many positives came as were predicted.
func calibrationPlot(id, title string, bins []event.CalibrationBin) *Chart {
	c := &Chart{ID: id, Title: title, X: "mean prediction", Y: "share of positives"}
	low, high := math.Inf(1), 0.0
	for _, b := range bins {
		if b.Weight > 0 {
			p, actual := b.Predicted/b.Weight, rate(b.Actual, b.Weight)
			high = max(high, p, actual.value)
			for _, v := range []float64{p, actual.value} {
				if v > 0 {
					low = min(low, v)
				}
			}
		}
	}
	if high == 0 {
		return nil
	}
	log := high/low > 20
	x := scale{0, high * 1.06, plotLeft, plotRight, false}
	y := scale{0, high * 1.06, plotBottom, plotTop, false}
	if log {
		low = max(low/1.5, high*1e-5)
		x = scale{low, min(high*1.3, 1), plotLeft, plotRight, true}
		y = scale{low, min(high*1.3, 1), plotBottom, plotTop, true}
		c.X, c.Y = c.X+" (log scale)", c.Y+" (log scale)"
	}
	c.XTicks, c.YTicks = x.ticks(5, edge), y.ticks(5, edge)
	c.Lines = append(c.Lines, Shape{"reference", "", fmt.Sprintf("M%v %vL%v %v", x.from, y.from, x.to, y.to)})
	inside := func(v float64) float64 { return y.at(min(max(v, y.low), y.high)) }
	off, known := 0, 0
	for i, b := range bins {
		if b.Weight <= 0 {
			continue
		}
		p, actual := b.Predicted/b.Weight, rate(b.Actual, b.Weight)
		known++
		off += b2i(binOff(b, len(bins)) != 0)
		at := x.at(max(p, x.low))
		c.Lines = append(c.Lines, Shape{"whisker", "", fmt.Sprintf("M%v %vV%v", at, inside(actual.low), inside(actual.high))})
		c.Marks = append(c.Marks, Mark{"line1", fmt.Sprintf("bin %d: predicted %s, came %s", i+1, percent(p), actual.text(percent)), at, inside(actual.value), 3.5})
	}
	c.Desc = fmt.Sprintf("%s: %d bins of about equal weight. In %d of them the share of positives differs from the prediction by more than chance.", title, known, off)
	return c
}

// histogram draws how many examples have a score in each range. edges are those of the ranges in
// words, one more than there are counts.
func histogram(id, title, xLabel, yLabel string, edges []string, counts []int64) *Chart {
	c := &Chart{ID: id, Title: title, X: xLabel, Y: yLabel}
	most, sum, top := int64(0), int64(0), 0
	for i, n := range counts {
		if sum += n; n > most {
			most, top = n, i
		}
	}
	if sum == 0 {
		return nil
	}
	y := scale{0, float64(most) * 1.05, plotBottom, plotTop, false}
	c.YTicks = y.ticks(4, short)
	width := (plotRight - plotLeft) / float64(len(counts))
	for i, n := range counts {
		left := plotLeft + float64(i)*width
		if n > 0 {
			h := max(plotBottom-y.at(float64(n)), 1)
			c.Bars = append(c.Bars, Bar{"bar", fmt.Sprintf("%s to %s: %s", edges[i], edges[i+1], thousands(n)), round(left + 1), round(plotBottom - h), round(width - 2), round(h)})
		}
	}
	for i := 0; i < len(edges); i += (len(counts) + 7) / 8 {
		c.XTicks = append(c.XTicks, Tick{round(plotLeft + float64(i)*width), edges[i]})
	}
	c.Desc = fmt.Sprintf("%s: the highest bar is %s to %s, with %s of %s.", title, edges[top], edges[top+1], thousands(most), thousands(sum))
	return c
}

// barsOverTime draws a sum for each bucket of a period.
func barsOverTime(p *period, id, title, unit string, write format, sums []float64) *Chart {
	c := &Chart{ID: id, Title: title, X: "time (UTC)", Y: unit}
	most, sum, top := 0.0, 0.0, 0
	for i, v := range sums {
		if sum += v; v > most {
			most, top = v, i
		}
	}
	if most == 0 {
		return nil
	}
	y := scale{0, most * 1.05, plotBottom, plotTop, false}
	x := scale{float64(p.from), float64(p.to), plotLeft, plotRight, false}
	c.XTicks, c.YTicks = timeTicks(p, x), y.ticks(4, short)
	for i, v := range sums {
		if v > 0 {
			left, right := x.at(float64(p.start(i))), x.at(float64(p.end(i)))
			h := max(plotBottom-y.at(v), 1)
			c.Bars = append(c.Bars, Bar{"bar", fmt.Sprintf("%s: %s", moment(p.start(i)), write(v)), round(left + 0.5), round(plotBottom - h), round(max(right-left-1, 0.5)), round(h)})
		}
	}
	c.Desc = fmt.Sprintf("%s over time: %s in all, most, %s, from %s on.", title, write(sum), write(most), moment(p.start(top)))
	return c
}
