package table

// Bitmap remembers which numbers were set, and lists them in the order of their first setting.
type Bitmap struct {
	List []uint32
	bits []uint64
}

// Set remembers i.
func (b *Bitmap) Set(i uint32) {
	for int(i>>6) >= len(b.bits) {
		b.bits = append(b.bits, 0)
	}
	if w := &b.bits[i>>6]; *w>>(i&63)&1 == 0 {
		*w |= 1 << (i & 63)
		b.List = append(b.List, i)
	}
}

// Clear forgets all. It costs as much as the list is long.
func (b *Bitmap) Clear() {
	for _, i := range b.List {
		b.bits[i>>6] = 0
	}
	b.List = b.List[:0]
}
