package consent

import (
	"encoding/base64"
	"slices"
)

// consentString is what a test says in a string of TCF version 2, as its specification lays it out.
type consentString struct {
	purposes, interests      []int // by consent, by legitimate interest
	vendors, vendorInterests []int
	ranges                   bool // lists of vendors are ranges, and not a bit a vendor
	restrictions             []restriction
	policy                   int   // version of the framework's policies; 0: 4
	disclosed                []int // vendors that the user was shown; none: no such segment
}

type restriction struct{ purpose, kind, vendor int }

func (c consentString) encode() string {
	var w bitWriter
	policy := c.policy
	if policy == 0 {
		policy = 4
	}
	w.write(2, 6)
	w.write(15_000_000_000, 36) // created and updated, in tenths of seconds
	w.write(15_000_000_000, 36)
	for _, f := range [][2]int{{31, 12}, {1, 12}, {0, 6}, {'D' - 'A', 6}, {'E' - 'A', 6}, {140, 12}, {policy, 6}, {1, 1}, {0, 1}, {0, 12}} {
		w.write(f[0], f[1])
	}
	w.set(c.purposes, 24)
	w.set(c.interests, 24)
	w.write(0, 1)
	w.write('D'-'A', 6)
	w.write('E'-'A', 6)
	w.list(c.vendors, c.ranges)
	w.list(c.vendorInterests, c.ranges)
	w.write(len(c.restrictions), 12)
	for _, r := range c.restrictions {
		w.write(r.purpose, 6)
		w.write(r.kind, 2)
		w.write(1, 12)
		w.write(0, 1)
		w.write(r.vendor, 16)
	}
	if len(c.disclosed) == 0 {
		return w.bytes()
	}
	var segment bitWriter
	segment.write(1, 3)
	segment.list(c.disclosed, c.ranges)
	return w.bytes() + "." + segment.bytes()
}

type bitWriter []bool

func (w *bitWriter) write(v, n int) {
	for i := n - 1; i >= 0; i-- {
		*w = append(*w, v>>i&1 == 1)
	}
}

// set writes a bit for each number from 1 to n.
func (w *bitWriter) set(members []int, n int) {
	for i := 1; i <= n; i++ {
		*w = append(*w, slices.Contains(members, i))
	}
}

// list writes a list of vendors.
func (w *bitWriter) list(vendors []int, ranges bool) {
	last := 0
	for _, v := range vendors {
		last = max(last, v)
	}
	w.write(last, 16)
	if !ranges {
		w.write(0, 1)
		w.set(vendors, last)
		return
	}
	w.write(1, 1)
	w.write(len(vendors), 12)
	for _, v := range vendors {
		w.write(0, 1)
		w.write(v, 16)
	}
}

// bytes fills the last byte with zeros, as platforms do.
func (w bitWriter) bytes() string {
	b := make([]byte, (len(w)+7)/8)
	for i, bit := range w {
		if bit {
			b[i/8] |= 0x80 >> (i % 8)
		}
	}
	return base64.RawURLEncoding.EncodeToString(b)
}
