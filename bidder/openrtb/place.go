package openrtb

import (
	"strings"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// offered reads a site, an app or a screen outdoors. Its names and categories protect advertisers,
// who block places by them.
func (r *reader) offered(kind auction.Kind) {
	if r.Kind() == strictjson.KindNull {
		r.Null()
		return
	}
	r.places++
	p := &r.q.Place
	p.Kind = kind
	if !r.object(true) {
		return
	}
	page := ""
	for r.Key() {
		switch r.Name() {
		case "id":
			p.ID = r.guarded()
		case "name":
			p.Name = r.plain()
		case "domain":
			if d := domain(r.guarded()); kind != auction.App {
				p.Domain = d
			}
		case "bundle":
			p.Bundle = strings.TrimSpace(r.guarded())
		case "page":
			page = r.address()
		case "cat", "sectioncat", "pagecat":
			p.Categories = append(p.Categories, r.list(blockList, maxCategories, strings.TrimSpace)...)
		case "publisher":
			r.publisher()
		case "content":
			r.content()
		case "keywords", "kwarray":
			p.Keywords = append(p.Keywords, r.keywords()...)
		default:
			r.Skip()
		}
	}
	p.Categories = unique(p.Categories)
	if p.Page = pageOf(page); p.Domain == "" && kind == auction.Site {
		p.Domain = domain(page)
	}
}

// address reads a URL, from which a site without a domain gets its own. One that is too long to be
// kept still tells its host.
func (r *reader) address() string {
	k := r.Kind()
	s, ok := r.text()
	if !ok {
		r.refuse("is %s, expected a text", kindName(k))
	}
	if s = pageOf(s); len(s) > maxTextBytes {
		return domain(s)
	}
	return s
}

func (r *reader) publisher() {
	if !r.object(true) {
		return
	}
	for r.Key() {
		switch r.Name() {
		case "id":
			r.q.Place.Publisher = r.guarded()
		default:
			r.Skip()
		}
	}
}

func (r *reader) content() {
	if !r.object(false) {
		return
	}
	p := &r.q.Place
	for r.Key() {
		switch r.Name() {
		case "language", "langb":
			if l := language(r.plain()); p.Language == "" {
				p.Language = l
			}
		case "cat":
			p.Categories = append(p.Categories, r.list(blockList, maxCategories, strings.TrimSpace)...)
		case "keywords", "kwarray":
			p.Keywords = append(p.Keywords, r.keywords()...)
		default:
			r.Skip()
		}
	}
}

// keywords reads a list, or a text with commas.
func (r *reader) keywords() []string {
	if r.Kind() != strictjson.KindString {
		return r.list(plainList, maxList, lower)
	}
	s := r.Text()
	r.texts = r.texts[:0]
	for word := range strings.SplitSeq(s, ",") {
		if word = lower(word); word != "" {
			r.add(word, plainList, maxList, same)
		}
	}
	return append([]string(nil), r.texts...)
}
