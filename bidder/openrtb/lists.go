package openrtb

import (
	"math"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/internal/strictjson"
)

// listKind says what a list that cannot be read, or an element without characters, means.
type listKind uint8

const (
	plainList listKind = iota // tells something: what cannot be read is left out
	blockList                 // an element without characters blocks nothing
	allowList                 // refused, since an empty list allows all
)

// list reads texts; one text counts as a list of what stands between its commas. fix brings each to
// the form in which it is compared; what fix makes empty counts as empty.
func (r *reader) list(kind listKind, most int, fix func(string) string) []string {
	r.texts = r.texts[:0]
	switch k := r.Kind(); k {
	case strictjson.KindArray:
		for r.Array(); r.Element(); {
			r.element(kind, most, fix)
		}
	case strictjson.KindNull:
		r.Null()
	case strictjson.KindString:
		if s := r.Text(); s != "" {
			for one := range strings.SplitSeq(s, ",") {
				r.add(strings.TrimSpace(one), kind, most, fix)
			}
		}
	default:
		r.Skip()
		if kind != plainList {
			r.refuse("is %s, expected a list of texts", kindName(k))
		}
	}
	if len(r.texts) == 0 {
		return nil
	}
	return slices.Clone(r.texts)
}

func (r *reader) element(kind listKind, most int, fix func(string) string) {
	k := r.Kind()
	s, ok := r.text()
	if !ok {
		if kind != plainList {
			r.refuse("is %s, expected a text", kindName(k))
		}
		return
	}
	r.add(s, kind, most, fix)
}

func (r *reader) add(s string, kind listKind, most int, fix func(string) string) {
	s = fix(s)
	switch {
	case s == "":
		if kind == allowList {
			r.refuse("is empty, expected a text")
		}
	case len(s) > maxTextBytes:
		if kind != plainList {
			r.refuse("has %d bytes, at most %d are allowed", len(s), maxTextBytes)
		}
	case len(r.texts) == most:
		r.refuse("is one too many: at most %d are allowed", most)
	default:
		r.texts = append(r.texts, s)
	}
}

// integers is list for whole numbers; one number counts as a list of it, too.
func (r *reader) integers(kind listKind) []int {
	r.numbers = r.numbers[:0]
	switch k := r.Kind(); k {
	case strictjson.KindNumber:
		r.addInteger(kind)
	case strictjson.KindString:
		if s := strings.TrimSpace(r.Text()); s != "" {
			for one := range strings.SplitSeq(s, ",") {
				f, ok := parseNumber(strings.TrimSpace(one))
				r.addNumber(kind, k, f, ok, ok)
			}
		}
	default:
		if !r.array(kind != plainList) {
			break
		}
		for r.Element() {
			r.addInteger(kind)
		}
	}
	if len(r.numbers) == 0 {
		return nil
	}
	return slices.Clone(r.numbers)
}

func (r *reader) addInteger(kind listKind) {
	k := r.Kind()
	f, given, ok := r.number()
	r.addNumber(kind, k, f, given, ok)
}

// addNumber adds an element of kind k that number has read.
func (r *reader) addNumber(kind listKind, k strictjson.Kind, f float64, given, ok bool) {
	ok = ok && f == math.Trunc(f) && math.Abs(f) <= maxWhole
	switch {
	case kind == plainList && (!ok || !given) || kind == blockList && ok && !given:
	case !ok || !given:
		r.refuse("is %s, expected a whole number", kindName(k))
	case len(r.numbers) == maxList:
		r.refuse("is one too many: at most %d are allowed", maxList)
	default:
		r.numbers = append(r.numbers, int(f))
	}
}
