package openrtb

import (
	"strings"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// person reads the user.
func (r *reader) person() {
	if !r.object(false) {
		return
	}
	u := &r.q.User
	for r.Key() {
		switch r.Name() {
		case "id":
			r.user = r.plain()
		case "buyeruid":
			r.buyer = r.plain()
		case "consent":
			r.signals.TCF = r.consentString()
		case "keywords", "kwarray":
			u.Keywords = append(u.Keywords, r.keywords()...)
		case "data":
			u.Segments = r.segments()
		case "eids":
			u.External = r.externalIDs()
		case "geo":
			var home auction.Device
			r.geo(&home)
			r.home = home.Country
		case "ext":
			if !r.object(false) {
				continue
			}
			for r.Key() {
				switch r.Name() {
				case "consent":
					r.older.tcf = r.consentString()
				case "eids":
					r.older.eids = r.externalIDs()
				default:
					r.Skip()
				}
			}
		default:
			r.Skip()
		}
	}
}

// consentString reads a string of the TCF. What is no text is no consent where one is needed, and
// does not matter elsewhere.
func (r *reader) consentString() string {
	k := r.Kind()
	s, ok := r.text()
	if !ok || k == strictjson.KindNumber {
		return "?"
	}
	return s
}

// segments reads user.data: PROVIDER/ID of each segment, and ID alone.
func (r *reader) segments() []string {
	if !r.array(false) {
		return nil
	}
	var all []string
	for r.Element() {
		if !r.object(false) {
			continue
		}
		from := len(all)
		var id, name string
		for r.Key() {
			switch r.Name() {
			case "id":
				id = lower(r.plain())
			case "name":
				name = lower(r.plain())
			case "segment":
				all = r.segmentIDs(all)
			default:
				r.Skip()
			}
		}
		if id == "" {
			id = name
		}
		for _, s := range all[from:] {
			if id != "" {
				all = append(all, id+"/"+s)
			}
		}
	}
	return all
}

func (r *reader) segmentIDs(all []string) []string {
	if !r.array(false) {
		return all
	}
	for r.Element() {
		if !r.object(false) {
			continue
		}
		var id, other string
		for r.Key() {
			switch r.Name() {
			case "id":
				id = lower(r.plain())
			case "value", "name":
				other = lower(r.plain())
			default:
				r.Skip()
			}
		}
		if id == "" {
			id = other
		}
		switch {
		case id == "":
		case len(all) >= maxList:
			r.refuse("is one too many: at most %d are allowed", maxList)
		default:
			all = append(all, id)
		}
	}
	return all
}

// externalIDs reads eids: SOURCE/ID of each.
func (r *reader) externalIDs() []string {
	if !r.array(false) {
		return nil
	}
	var all []string
	for r.Element() {
		if !r.object(false) {
			continue
		}
		from := len(all)
		source := ""
		for r.Key() {
			switch r.Name() {
			case "source":
				source = lower(r.plain())
			case "uids":
				all = r.uids(all)
			default:
				r.Skip()
			}
		}
		for i, id := range all[from:] {
			all[from+i] = source + "/" + id
		}
	}
	return all
}

func (r *reader) uids(all []string) []string {
	if !r.array(false) {
		return all
	}
	for r.Element() {
		if !r.object(false) {
			continue
		}
		for r.Key() {
			if r.Name() != "id" {
				r.Skip()
				continue
			}
			switch id := strings.TrimSpace(r.plain()); {
			case id == "":
			case len(all) >= maxList:
				r.refuse("is one too many: at most %d are allowed", maxList)
			default:
				all = append(all, id)
			}
		}
	}
	return all
}
