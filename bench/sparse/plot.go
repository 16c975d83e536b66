package main

import (
	"fmt"
	"strings"
)

// plot draws the log loss of the second half against the table's size.
func plot(plain, lives []run) string {
	const width, height, left, top, right, bottom = 640, 360, 70, 40, 20, 50
	low, high := plain[0].Late, plain[0].Late
	for _, r := range append(append([]run(nil), plain...), lives...) {
		low, high = min(low, r.Late), max(high, r.Late)
	}
	margin := (high - low) * 0.08
	low, high = low-margin, high+margin
	first, last := plain[0].TableBits, plain[len(plain)-1].TableBits
	x := func(bits int) float64 {
		return left + float64(bits-first)/float64(last-first)*(width-left-right)
	}
	y := func(loss float64) float64 { return top + (high-loss)/(high-low)*(height-top-bottom) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="%d" y="20">log loss of the second half of %d rows with %d users</text>`+"\n", left, plain[0].Rows, plain[0].Users)
	for i := range 5 {
		v := low + (high-low)*float64(i)/4
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.4f</text>`+"\n", left, width-right, y(v), y(v), left-6, y(v)+4, v)
	}
	for _, r := range plain {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">2^%d</text>`+"\n", x(r.TableBits), height-bottom+18, r.TableBits)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">records in the table</text>`+"\n", (left+width-right)/2, height-12)
	for i, series := range []struct {
		name, colour string
		runs         []run
	}{{"every token at once, for ever", "#c33", plain}, {fmt.Sprintf("admission %d, expiry %d", lives[0].Admission, lives[0].Expiry), "#36c", lives}} {
		var points []string
		for _, r := range series.runs {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(r.TableBits), y(r.Late)))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x(r.TableBits), y(r.Late), series.colour)
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), series.colour)
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", width-240, top+16+18*i, series.colour, series.name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}
