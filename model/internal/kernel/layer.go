package kernel

import (
	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/table"
)

// A perceptron has Hidden ReLU units over one embedding of Embed floats a field. A field's entry in
// a layer's arena is [weights 8x16][accumulators].
const (
	Embed  = 8
	Hidden = 16

	forget = 0.9995 // of an accumulator that fades, a step
)

// The dense weights of one perceptron.
const (
	NetBias, NetOut, NetConst, NetLen = 0, Hidden, 2 * Hidden, 4 * Hidden
)

// LayerForward adds the embeddings e of the fields, through their weights in a, to the inputs h of
// the hidden units.
func LayerForward(h *[Hidden]float32, fields []uint16, a *table.Arena, e []float32) {
	if len(fields) == 0 {
		return
	}
	if Vector {
		layerForwardAVX(&h[0], &fields[0], len(fields), a.Chunks(), a.StrideBytes(), &e[0])
		return
	}
	for _, f := range fields {
		layerForwardGo(h, (*[Embed]float32)(e[int(f)*Embed:]), (*[Embed * Hidden]float32)(a.Ptr(uint32(f))))
	}
}

func layerForwardGo(h *[Hidden]float32, e *[Embed]float32, w *[Embed * Hidden]float32) {
	for d := range Embed {
		x, v := e[d], w[d*Hidden:][:Hidden]
		for j := range Hidden {
			h[j] += float32(x * v[j])
		}
	}
}

// LayerBackJ moves member J's first layer by AdaGrad, with one accumulator for the eight weights
// between a field and a hidden unit. dh are the gradients of the hidden units' inputs; it sets
// those of the embeddings, de, and their mean squares.
func LayerBackJ(fields []uint16, a *table.Arena, e, de, square []float32, dh *[Hidden]float32, rate float32) {
	if len(fields) == 0 {
		return
	}
	if Vector {
		layerBackJAVX(&fields[0], len(fields), a.Chunks(), a.StrideBytes(), &e[0], &de[0], &square[0], &dh[0], rate)
		return
	}
	for _, f := range fields {
		v, at := a.At(uint32(f)), int(f)*Embed
		square[f] = layerBackJGo((*[Embed * Hidden]float32)(v), (*[Hidden]float32)(v[a.KeptAt:]), (*[Embed]float32)(e[at:]), (*[Embed]float32)(de[at:]), dh, rate)
	}
}

func layerBackJGo(w *[Embed * Hidden]float32, acc *[Hidden]float32, e, de *[Embed]float32, dh *[Hidden]float32, rate float32) float32 {
	for d := range Embed {
		de[d] = fold16(dh, w[d*Hidden:][:Hidden])
	}
	square := squares(e) * (1.0 / Embed)
	var st [Hidden]float32
	for j := range Hidden {
		acc[j] += float32(float32(dh[j]*dh[j]) * square)
		st[j] = float32(rate*arith.Rsqrt32(acc[j])) * dh[j]
	}
	for d := range Embed {
		x, v := e[d], w[d*Hidden:][:Hidden]
		for j := range Hidden {
			v[j] -= float32(st[j] * x)
		}
	}
	return squares(de) * (1.0 / Embed)
}

// LayerBackQ is LayerBackJ for member Q: one accumulator a weight, which forgets.
func LayerBackQ(fields []uint16, a *table.Arena, e, de []float32, dh *[Hidden]float32, rate float32) {
	if len(fields) == 0 {
		return
	}
	if Vector {
		layerBackQAVX(&fields[0], len(fields), a.Chunks(), a.StrideBytes(), &e[0], &de[0], &dh[0], rate)
		return
	}
	for _, f := range fields {
		v, at := a.At(uint32(f)), int(f)*Embed
		layerBackQGo((*[Embed * Hidden]float32)(v), (*[Embed * Hidden]float32)(v[a.KeptAt:]), (*[Embed]float32)(e[at:]), (*[Embed]float32)(de[at:]), dh, rate)
	}
}

func layerBackQGo(w, acc *[Embed * Hidden]float32, e, de *[Embed]float32, dh *[Hidden]float32, rate float32) {
	for d := range Embed {
		v, a, x := w[d*Hidden:][:Hidden], acc[d*Hidden:][:Hidden], e[d]
		de[d] = fold16(dh, v)
		for j := range Hidden {
			g := float32(dh[j] * x)
			a[j] = float32(forget*a[j]) + float32(g*g)
			v[j] -= float32(float32(rate*arith.Rsqrt32(a[j])) * g)
		}
	}
}

// Output is the logit of the perceptron with the dense weights net, from the inputs h of its hidden
// units.
func Output(net []float32, h *[Hidden]float32) float32 {
	if Vector {
		return outputAVX(&h[0], &net[NetOut]) + net[NetConst]
	}
	var act [Hidden]float32
	for j, v := range h {
		if v > 0 {
			act[j] = v
		}
	}
	return fold16(&act, net[NetOut:NetOut+Hidden]) + net[NetConst]
}

// OutputBack moves the output weights and biases against the logit's gradient g, and sets the
// gradients dh of the hidden units' inputs.
func OutputBack(net, acc []float32, h, dh *[Hidden]float32, g, rate float32) {
	if Vector {
		outputBackAVX(&net[0], &acc[0], &h[0], &dh[0], g, rate)
	} else {
		outputBackGo(net, acc, h, dh, g, rate)
	}
	adagrad(&net[NetConst], &acc[NetConst], g, rate)
}

func outputBackGo(net, acc []float32, h, dh *[Hidden]float32, g, rate float32) {
	for j, v := range h {
		dh[j] = 0
		if v > 0 {
			dh[j] = float32(g * net[NetOut+j])
		} else {
			v = 0
		}
		adagrad(&net[NetOut+j], &acc[NetOut+j], float32(g*v), rate)
		adagrad(&net[NetBias+j], &acc[NetBias+j], dh[j], rate)
	}
}

// fold16 adds sixteen products in eight lanes, then the lanes two by two.
func fold16(a *[Hidden]float32, b []float32) float32 {
	var l [8]float32
	for j := range 8 {
		l[j] = float32(a[j]*b[j]) + float32(a[j+8]*b[j+8])
	}
	return fold8(&l)
}

func squares(e *[Embed]float32) float32 {
	var l [Embed]float32
	for d, v := range e {
		l[d] = float32(v * v)
	}
	return fold8(&l)
}
