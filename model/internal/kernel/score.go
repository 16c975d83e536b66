package kernel

import "github.com/clickloop/clickloop/model/internal/half"

// ScoreLanes is what the widths of Score are multiples of.
const ScoreLanes = 16

// Score sets out to the scores of rows of 16-bit weights, as wide as weight:
//
//	score = sum over j < len(shift) of weight[j] max(0, row[j] + shift[j]) + sum over the rest of weight[j] row[j]
//
// in ScoreLanes lanes, which are then added two by two. Both lengths are multiples of ScoreLanes.
func Score(out []float32, rows []uint16, shift, weight []float32) {
	width, relu := len(weight), len(shift)
	if len(out) == 0 || width == 0 {
		clear(out)
		return
	}
	_ = rows[len(out)*width-1]
	if half.Vector {
		s := &weight[0] // not read where no input has a shift
		if relu > 0 {
			s = &shift[0]
		}
		scoreAVX(&out[0], len(out), &rows[0], width, relu, s, &weight[0])
		return
	}
	for i := range out {
		out[i] = scoreGo(rows[i*width:][:width], shift, weight)
	}
}

func scoreGo(row []uint16, shift, weight []float32) float32 {
	var l [ScoreLanes]float32
	for j, s := range shift {
		l[j%ScoreLanes] += float32(weight[j] * max(half.Float(row[j])+s, 0))
	}
	for j := len(shift); j < len(weight); j++ {
		l[j%ScoreLanes] += float32(weight[j] * half.Float(row[j]))
	}
	var low [8]float32
	for j := range low {
		low[j] = l[j] + l[j+8]
	}
	return fold8(&low)
}
