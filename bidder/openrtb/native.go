package openrtb

import (
	"strings"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// native reads a place for an ad that is drawn of its parts. Its request is JSON in a text, though
// some send the object itself.
func (r *reader) native() *auction.Native {
	n := new(auction.Native)
	if !r.object(true) {
		return n
	}
	given := false
	for r.Key() {
		switch r.Name() {
		case "request":
			given = r.nativeRequest(n)
		case "ver":
			if v := r.plain(); n.Version == "" {
				n.Version = v
			}
		case "api":
			n.APIs = r.integers(allowList)
		case "battr":
			n.BlockedAttributes = r.integers(blockList)
		default:
			r.Skip()
		}
	}
	if !given {
		r.refuse("has no request")
	}
	if strings.HasPrefix(n.Version, "1.0") || n.Version == "1" {
		n.Wrapped = true
	}
	return n
}

// nativeRequest reads the request of a native place, and says whether there is one.
func (r *reader) nativeRequest(n *auction.Native) bool {
	switch k := r.Kind(); k {
	case strictjson.KindObject:
		r.nativeMembers(n)
		return true
	case strictjson.KindString:
		text := r.Text()
		if text == "" {
			return false
		}
		r.nested(text, func(in *reader) { in.nativeMembers(n) })
		return true
	case strictjson.KindNull:
		r.Null()
		return false
	default:
		r.Skip()
		r.refuse("is %s, expected a native request", kindName(k))
		return true
	}
}

// nested reads JSON within a text, by a reader of its own. Its first refusal is this one's.
func (r *reader) nested(text string, read func(*reader)) {
	in := readers.Get().(*reader)
	defer in.release()
	in.begin(text, r.q)
	in.prefix = r.place()
	if in.Kind() != strictjson.KindObject {
		r.refuse("is no native request")
		return
	}
	read(in)
	if err := in.End(); err != nil {
		r.refuse("cannot be read: %v", err)
	}
	r.because(in.reasons[0])
}

// nativeMembers reads a native request of version 1.0 to 1.2, with the member "native" around it or
// without.
func (r *reader) nativeMembers(n *auction.Native) {
	if !r.object(true) {
		return
	}
	wrapped := false
	for r.Key() {
		switch r.Name() {
		case "native":
			if n.Wrapped {
				r.refuse("is within another native request")
				r.Skip()
				continue
			}
			n.Wrapped, wrapped = true, true
			r.nativeMembers(n)
		case "ver":
			if v := r.plain(); v != "" {
				n.Version = v
			}
		case "assets":
			r.assets(n)
		case "eventtrackers":
			r.trackers(n)
		default:
			r.Skip()
		}
	}
	if len(n.Assets) == 0 && !wrapped {
		r.refuse("has no assets")
	}
}

// assets reads the parts that the page asks for. Where no part has an id, each gets its place in
// the list, as Prebid Server does; some with and some without refuse the ad, as do two with one.
func (r *reader) assets(n *auction.Native) {
	if !r.array(true) {
		return
	}
	n.Assets = nil
	ids := 0
	for r.Element() {
		if len(n.Assets) == maxAssets {
			r.refuse("is one too many: at most %d are allowed", maxAssets)
			r.Skip()
			continue
		}
		a, given := r.asset()
		if given {
			ids++
			for i := range n.Assets {
				if n.Assets[i].ID == a.ID {
					r.refuse("has the id of another asset")
				}
			}
		}
		n.Assets = append(n.Assets, a)
	}
	switch {
	case ids == 0:
		for i := range n.Assets {
			n.Assets[i].ID = i
		}
	case ids < len(n.Assets):
		r.refuse("have an id in part")
	}
}

func (r *reader) asset() (a auction.Asset, id bool) {
	if !r.object(true) {
		return a, false
	}
	kinds := 0
	kind := func(k auction.AssetKind) {
		a.Kind = k
		kinds++
	}
	for r.Key() {
		name := r.Name()
		if name != "id" && r.Kind() == strictjson.KindNull {
			r.Null()
			continue
		}
		switch name {
		case "id":
			a.ID, id = r.whole()
		case "required":
			a.Required = r.strict()
		case "title":
			kind(auction.AssetTitle)
			r.part(func(string) { r.Skip() }, &a.Length, nil)
		case "data":
			kind(auction.AssetData)
			r.part(func(string) { r.Skip() }, &a.Length, &a.Type)
		case "img":
			kind(auction.AssetImage)
			r.part(func(name string) { r.image(name, &a) }, nil, &a.Type)
		case "video":
			kind(auction.AssetVideo)
			a.Video = r.video()
		default:
			r.Skip()
		}
	}
	if kinds > 1 {
		r.refuse("is more than one of title, img, video and data")
	}
	return a, id
}

// part reads the members of an asset's kind: len and type where it has them, others by rest.
func (r *reader) part(rest func(name string), length, kind *int) {
	if !r.object(true) {
		return
	}
	for r.Key() {
		switch name := r.Name(); {
		case name == "len" && length != nil:
			*length, _ = r.whole()
		case name == "type" && kind != nil:
			*kind, _ = r.integer()
		default:
			rest(name)
		}
	}
}

func (r *reader) image(name string, a *auction.Asset) {
	switch name {
	case "w":
		a.W = r.pixels()
	case "h":
		a.H = r.pixels()
	case "wmin":
		a.MinW = r.pixels()
	case "hmin":
		a.MinH = r.pixels()
	case "mimes":
		a.MIMEs = r.list(allowList, maxList, lower)
	default:
		r.Skip()
	}
}

// trackers reads what the page can call when the ad is seen.
func (r *reader) trackers(n *auction.Native) {
	if !r.array(false) {
		return
	}
	for r.Element() {
		var t auction.Tracker
		if !r.object(false) {
			continue
		}
		for r.Key() {
			switch r.Name() {
			case "event":
				t.Event, _ = r.integer()
			case "methods":
				t.Methods = r.integers(plainList)
			default:
				r.Skip()
			}
		}
		switch {
		case t.Event <= 0 || len(t.Methods) == 0:
		case len(n.Trackers) == maxAssets:
			r.refuse("is one too many: at most %d are allowed", maxAssets)
		default:
			n.Trackers = append(n.Trackers, t)
		}
	}
}
