package openrtb

import (
	"slices"

	"github.com/clickloop/clickloop/bidder/auction"
)

// maxPixels bounds a side of a size.
const maxPixels = 1 << 16

// banner reads a place for an image or HTML. sized says that it names a size: a place without any
// is invalid, unless it covers the screen.
func (r *reader) banner() (b *auction.Banner, sized bool) {
	b = new(auction.Banner)
	if !r.object(true) {
		return b, true
	}
	r.sizes = r.sizes[:0]
	var w, h int
	flexible := false
	for r.Key() {
		switch r.Name() {
		case "w":
			w = r.pixels()
		case "h":
			h = r.pixels()
		case "format":
			flexible = r.formats()
		case "btype":
			b.BlockedTypes = r.integers(blockList)
		case "battr":
			b.BlockedAttributes = r.integers(blockList)
		case "mimes":
			b.MIMEs = r.list(allowList, maxList, lower)
		case "api":
			b.APIs = r.integers(allowList)
		case "pos":
			b.Position, _ = r.integer()
		case "topframe":
			b.TopFrame = r.on()
		case "expdir":
			b.Expandable = r.integers(allowList)
		default:
			r.Skip()
		}
	}
	switch {
	case w > 0 && h > 0:
		r.size(auction.Size{W: w, H: h})
	case (w > 0) != (h > 0) && len(r.sizes) == 0:
		r.refuse("has w or h without the other, and no format")
	}
	if len(r.sizes) == 0 && flexible {
		r.refuse("has only sizes that are ratios")
	}
	if len(r.sizes) > 0 {
		b.Sizes = slices.Clone(r.sizes)
	}
	return b, len(b.Sizes) > 0
}

func (r *reader) pixels() int {
	n, _ := r.whole()
	if n > maxPixels {
		r.refuse("is %d, at most %d are allowed", n, maxPixels)
	}
	return n
}

func (r *reader) size(s auction.Size) {
	if !slices.Contains(r.sizes, s) {
		r.sizes = append(r.sizes, s)
	}
}

// formats reads the sizes of a banner. flexible says that some are ratios: they fit no size that is
// known. An element without any number says nothing and is left out.
func (r *reader) formats() (flexible bool) {
	if !r.array(true) {
		return false
	}
	for n := 0; r.Element(); n++ {
		if n == maxFormats {
			r.refuse("is one too many: at most %d are allowed", maxFormats)
		}
		var w, h, ratio int
		if !r.object(true) {
			continue
		}
		for r.Key() {
			switch r.Name() {
			case "w":
				w = r.pixels()
			case "h":
				h = r.pixels()
			case "wratio", "hratio", "wmin":
				ratio = max(ratio, r.pixels())
			default:
				r.Skip()
			}
		}
		switch {
		case w > 0 && h > 0:
			if len(r.sizes) < maxFormats {
				r.size(auction.Size{W: w, H: h})
			}
		case w > 0 || h > 0:
			r.refuse("has w or h without the other")
		case ratio > 0:
			flexible = true
		}
	}
	return flexible
}
