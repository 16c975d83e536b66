package fit

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// vw reads Vowpal Wabbit's format. Lines of the plain kind go straight from bytes to features; any
// other line goes through table.ParseVW, which explains its errors. Both ways give the same features.
func (r *reader) vw(src *table.Source, path string) error {
	return src.Lines(func(line int, text []byte) error { return r.vwLine(src, text, path, line) })
}

var errNoLabel = errors.New("the label is missing")

// vwLine reads one line into a block.
func (r *reader) vwLine(src *table.Source, text []byte, path string, line int) error {
	b, err := r.room(path)
	if err != nil {
		return err
	}
	from := len(b.slab)
	if y, ok := r.files.plainVW(b, text); ok {
		r.row++
		b.end(y, 1, line, r.row)
		return nil
	}
	b.slab = b.slab[:from]
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	r.row++
	rec := table.Row{Weight: 1}
	if err = src.CheckText(text); err == nil {
		err = table.ParseVW(&rec, string(text))
	}
	if err == nil && !rec.HasY {
		err = errNoLabel
	}
	y := 0.0
	if err == nil {
		y, err = r.files.vwLabel(rec.Label)
	}
	if err != nil {
		if r.files.SkipBad {
			r.skipped++
			return nil
		}
		return fmt.Errorf("%s:%d: %w", path, line, err)
	}
	b.slab = features.Encode(b.slab, rec.Fields)
	b.end(y, rec.Weight, line, r.row)
	return nil
}

// vwLabel is the label that a number says.
func (f *Files) vwLabel(y float64) (float64, error) {
	return f.label(event.Value{Kind: event.Number, Num: y})
}

// plainVW is the function of that name; with classes the label is the digits of one.
func (f *Files) plainVW(b *block, s []byte) (y float64, ok bool) {
	if len(f.classes) == 0 {
		if len(f.Positive) > 0 { // 0 and -1 may mean different things
			return 0, false
		}
		if y, ok = plainVW(b, s); ok && y == 0 && f.labels.ambiguous(s[0] == '-') {
			return 0, false // told where all labels are read
		}
		return y, ok
	}
	end := 0
	for end < len(s) && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	class, ok := f.index[string(s[:end])]
	return float64(class), ok && plainFields(b, s[end:])
}

// word says which bytes plain names and tokens are made of: ASCII above space, but for the colon
// and the bar.
var word = func() (t [256]bool) {
	for c := '!'; c < 0x7f; c++ {
		t[c] = c != ':' && c != '|'
	}
	return t
}()

// letterHashes are the hashes of names of one byte.
var letterHashes = func() (t [128]uint64) {
	for c := range t {
		t[c] = model.HashBytes([]byte{byte(c)})
	}
	return t
}()

// plainVW reads lines of the form "LABEL |N a b |M c", with a label of 1, 0 or -1, no weights, no
// tag, no namespace twice, and nothing but ASCII.
func plainVW(b *block, s []byte) (y float64, ok bool) {
	i := 0
	switch {
	case len(s) > 2 && s[0] == '1':
		y, i = 1, 1
	case len(s) > 3 && s[0] == '-' && s[1] == '1':
		i = 2
	case len(s) > 2 && s[0] == '0':
		i = 1
	default:
		return 0, false
	}
	return y, plainFields(b, s[i:])
}

// plainFields reads what follows the label of a plain line.
func plainFields(b *block, s []byte) bool {
	if len(s) < 2 || s[0] != ' ' || s[1] != '|' {
		return false
	}
	slab := b.slab
	from, seen := len(slab), uint64(0)
	for i := 1; i < len(s); {
		i++ // the bar
		start := i
		for i < len(s) && word[s[i]] {
			i++
		}
		if i == start || i >= len(s) || s[i] != ' ' {
			return false // no name, a weight, a lone name, a tab
		}
		var field uint64
		if i == start+1 {
			field = letterHashes[s[start]]
		} else {
			field = model.HashBytes(s[start:i])
		}
		bit := uint64(1) << (field & 63)
		if seen&bit != 0 && holdsField(slab[from:], field) {
			return false
		}
		seen |= bit
		tokens := len(slab)
		for i < len(s) && s[i] != '|' {
			if s[i] == ' ' {
				i++
				continue
			}
			start = i
			for i < len(s) && word[s[i]] {
				i++
			}
			if i == start || i < len(s) && s[i] != ' ' {
				return false
			}
			slab = append(slab, model.Feature{Field: field, Hash: model.HashBytes(s[start:i]), Value: 1, Kind: model.Token})
		}
		if len(slab) == tokens {
			return false
		}
	}
	b.slab = slab
	return true
}

func holdsField(x []model.Feature, field uint64) bool {
	for i := range x {
		if x[i].Field == field {
			return true
		}
	}
	return false
}
