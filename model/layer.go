package model

import "unsafe"

// The loops over an example's fields in a perceptron's first layer: in plain form, and as one call
// of a vector kernel. A field's record is [weights 8x16][accumulators].

// hiddenAdd adds the fields' embeddings e, through their weights in a, to the hidden units' inputs
// h.
func (c *core) hiddenAdd(h *[hidden]float32, r *row, a *arena, e []float32) {
	if len(r.present) == 0 {
		return
	}
	if vector {
		hiddenAVX(&h[0], &r.present[0], len(r.present), unsafe.Pointer(&a.chunks[0]), a.stride*4, &e[0])
		return
	}
	for _, f := range r.present {
		hiddenGo(h, (*[embed]float32)(e[int(f)*embed:]), (*[embed * hidden]float32)(a.ptr(uint32(f))))
	}
}

// backBlock moves J's first layer and gives its inputs' gradients de and their mean squares.
func (c *core) backBlock(r *row, a *arena, e, de, square []float32, dh *[hidden]float32, rate float32) {
	if len(r.present) == 0 {
		return
	}
	if vector {
		backBlockAVX(&r.present[0], len(r.present), unsafe.Pointer(&a.chunks[0]), a.stride*4, &e[0], &de[0], &square[0], &dh[0], rate)
		return
	}
	for _, f := range r.present {
		v, at := a.at(uint32(f)), int(f)*embed
		square[f] = backBlockGo((*[embed * hidden]float32)(v), (*[hidden]float32)(v[a.serve:]), (*[embed]float32)(e[at:]), (*[embed]float32)(de[at:]), dh, rate)
	}
}

// backEach moves Q's first layer and gives its inputs' gradients de.
func (c *core) backEach(r *row, a *arena, e, de []float32, dh *[hidden]float32, rate float32) {
	if len(r.present) == 0 {
		return
	}
	if vector {
		backEachAVX(&r.present[0], len(r.present), unsafe.Pointer(&a.chunks[0]), a.stride*4, &e[0], &de[0], &dh[0], rate)
		return
	}
	for _, f := range r.present {
		v, at := a.at(uint32(f)), int(f)*embed
		backEachGo((*[embed * hidden]float32)(v), (*[embed * hidden]float32)(v[a.serve:]), (*[embed]float32)(e[at:]), (*[embed]float32)(de[at:]), dh, rate)
	}
}

// outputNet is the output of perceptron net over the hidden units' inputs.
func (c *core) outputNet(net int, h *[hidden]float32) float32 {
	d := c.dense[net*netLen:]
	if vector {
		return outputAVX(&h[0], &d[netOut]) + d[netConst]
	}
	return outputGo(h, d[netOut:netOut+hidden]) + d[netConst]
}

// backNet learns perceptron net's output and biases, and gives the hidden units' gradients.
func (c *core) backNet(net int, h, dh *[hidden]float32, g, rate float32) {
	d, acc := c.dense[net*netLen:][:netLen], c.denseO[net*netLen:][:netLen]
	if vector {
		backOutputAVX(&d[0], &acc[0], &h[0], &dh[0], g, rate)
	} else {
		backOutputGo(d, acc, h, dh, g, rate)
	}
	adagrad(&d[netConst], &acc[netConst], g, rate)
}
