package fit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// vw reads Vowpal Wabbit's format. Lines of the plain kind go straight from bytes to features; any
// other line goes through table.ParseVW, which explains its errors. Both ways give the same
// features.
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
	row := table.Row{Weight: 1}
	if err = src.CheckText(text); err == nil {
		err = table.ParseVW(&row, string(text))
	}
	if err == nil && !row.HasY {
		err = errNoLabel
	}
	y := 0.0
	if err == nil {
		y, err = r.files.vwLabel(row.Label)
	}
	switch {
	case err == nil:
		b.slab = features.Encode(b.slab, row.Fields)
		b.end(y, row.Weight, line, r.row)
	case r.files.SkipBad:
		r.skipped++
	default:
		return fmt.Errorf("%s:%d: %w", path, line, err)
	}
	return nil
}

// vwLabel returns the label of a number.
func (f *Files) vwLabel(y float64) (float64, error) {
	return f.label(event.Value{Kind: event.Number, Num: y})
}

// plainVW is the function plainVW with the label that the files' settings give to the number. With
// classes the label is the digits that name a class.
func (f *Files) plainVW(b *block, s []byte) (y float64, ok bool) {
	if len(f.classes.names) == 0 {
		if len(f.Positive) > 0 { // 0 and -1 may mean different things
			return 0, false
		}
		if y, ok = plainVW(b, s); ok && y == 0 && f.negatives.ambiguous(s[0] == '-') {
			return 0, false // label explains the error
		}
		return y, ok
	}
	end := 0
	for end < len(s) && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	class, ok := f.classes.index[string(s[:end])]
	return float64(class), ok && plainFields(b, s[end:])
}

// wordBytes are the bytes of plain names and tokens: ASCII above space, except the colon and the
// bar.
var wordBytes = func() (t [256]bool) {
	for c := '!'; c < 0x7f; c++ {
		t[c] = c != ':' && c != '|'
	}
	return t
}()

// letterHashes are the hashes of names of one byte, which most files have.
var letterHashes = func() (t [128]uint64) {
	for c := range t {
		t[c] = model.HashBytes([]byte{byte(c)})
	}
	return t
}()

// plainVW parses a line of the form "LABEL |N a b |M c": a label of 1, 0 or -1, no weights, no tag,
// no namespace twice, only ASCII. It returns false for any other line, and may leave features of it
// in the slab.
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

// plainFields parses the text after the label of a plain line.
func plainFields(b *block, s []byte) bool {
	if len(s) < 2 || s[0] != ' ' || s[1] != '|' {
		return false
	}
	slab := b.slab
	from, seen := len(slab), uint64(0)
	for i := 1; i < len(s); {
		i++ // the bar
		start := i
		for i < len(s) && wordBytes[s[i]] {
			i++
		}
		if i == start || i >= len(s) || s[i] != ' ' {
			return false // no name, a weight, a name without tokens, or a tab
		}
		var field uint64
		if i == start+1 {
			field = letterHashes[s[start]]
		} else {
			field = model.HashBytes(s[start:i])
		}
		bit := uint64(1) << (field & 63)
		if seen&bit != 0 && slices.ContainsFunc(slab[from:], func(x model.Feature) bool { return x.Field == field }) {
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
			for i < len(s) && wordBytes[s[i]] {
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
