package consent

// bitReader reads bits of a text in the URL's alphabet of base64, six a character. Platforms write
// such texts with and without zeros to fill the last byte, so nothing is asked of their length.
type bitReader struct {
	text string
	pos  int
	bad  bool // read behind the end, or a character that is not of the alphabet
}

func (b *bitReader) ok() bool { return !b.bad }

// read returns the next n bits, at most 16, as a number; 0 when they are not there.
func (b *bitReader) read(n int) int {
	v := 0
	for range n {
		six, ok := b.six(b.pos / 6)
		if !ok {
			b.bad = true
			return 0
		}
		v = v<<1 | six>>(5-b.pos%6)&1
		b.pos++
	}
	return v
}

func (b *bitReader) six(i int) (int, bool) {
	if i >= len(b.text) {
		return 0, false
	}
	switch c := b.text[i]; {
	case c >= 'A' && c <= 'Z':
		return int(c - 'A'), true
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 26, true
	case c >= '0' && c <= '9':
		return int(c-'0') + 52, true
	case c == '-':
		return 62, true
	case c == '_':
		return 63, true
	}
	return 0, false
}

// fibonacci reads a Fibonacci code: a bit for each of 1, 2, 3, 5, 8 and so on, up to two ones in
// sequence. A code above the numbers of sections is wrong.
func (b *bitReader) fibonacci() int {
	sum, low, high, before := 0, 1, 2, 0
	for b.ok() && low <= 4*maxSectionID {
		bit := b.read(1)
		if bit == 1 && before == 1 {
			return sum
		}
		sum += bit * low
		low, high, before = high, low+high, bit
	}
	b.bad = true
	return 0
}

// vendor says whether a list of vendors has one: the highest number, then a bit for each, or ranges
// of them.
func (b *bitReader) vendor(v int) bool {
	last := b.read(16)
	if ranges := b.read(1) == 1; !ranges {
		if v > last {
			return false
		}
		b.pos += v - 1
		return b.read(1) == 1
	}
	for n := b.read(12); n > 0 && b.ok(); n-- {
		group := b.read(1) == 1
		from := b.read(16)
		to := from
		if group {
			to = b.read(16)
		}
		if b.ok() && from <= v && v <= to {
			return true
		}
	}
	return false
}
