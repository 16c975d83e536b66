package openrtb

import (
	"slices"
	"strings"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/consent"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// request reads the members of a bid request.
func (r *reader) request() {
	q := r.q
	for r.Object(); r.Key(); {
		switch r.Name() {
		case "id":
			q.ID = r.id()
		case "imp":
			r.impressions()
		case "test":
			q.Test = r.on()
		case "at":
			r.auctionType()
		case "tmax":
			q.TMax = r.timeout()
		case "cur":
			q.Currencies = r.list(allowList, maxList, upper)
		case "bcat":
			q.BlockedCategories = r.list(blockList, maxBlocked, strings.TrimSpace)
		case "acat":
			q.AllowedCategories = r.list(allowList, maxBlocked, strings.TrimSpace)
		case "cattax":
			if tax, given := r.whole(); given {
				q.CategoryTaxonomy = tax
			}
		case "badv":
			q.BlockedAdvertisers = r.list(blockList, maxBlocked, domain)
		case "bapp":
			q.BlockedApps = r.list(blockList, maxBlocked, strings.TrimSpace)
		case "wseat":
			q.Seats = r.list(allowList, maxList, same)
		case "bseat":
			q.BlockedSeats = r.list(blockList, maxList, same)
		case "wlang":
			q.Languages = r.list(allowList, maxList, language)
		case "site":
			r.offered(auction.Site)
		case "app":
			r.offered(auction.App)
		case "dooh":
			r.offered(auction.DOOH)
		case "device":
			r.device()
		case "user":
			r.person()
		case "regs":
			r.regulations()
		case "source":
			r.source()
		default:
			r.Skip()
		}
	}
}

// auctionType reads at. A number other than 2 is a rule of the exchange's own. It is taken for a
// first price, since a bid that is shaded for nothing costs less than one that is not and should
// be.
func (r *reader) auctionType() {
	f, given, ok := r.number()
	r.q.FirstPrice = !ok || given && f != 2
}

func (r *reader) timeout() time.Duration {
	f, given, ok := r.number()
	switch {
	case !ok || !given:
		return 0
	case f < 0 || f > maxWhole:
		r.refuse("is %v, expected milliseconds", f)
		return 0
	}
	return time.Duration(f) * time.Millisecond
}

// finish settles what depends on several members, and takes away what consent does not allow.
func (r *reader) finish(policy consent.Policy) {
	q := r.q
	for _, d := range r.dealsAsRequest {
		d.FirstPrice = q.FirstPrice
	}
	r.settleRegulations()
	q.Consent = consent.Decide(r.signals, policy)
	if !q.Consent.User {
		q.User = auction.User{}
		q.Device.Zip = q.Device.Zip[:min(3, len(q.Device.Zip))]
		if r.signals.COPPA {
			d := &q.Device
			d.Zip, d.City, d.Metro, d.Lat, d.Lon, d.Located = "", "", "", 0, 0, false
		}
		return
	}
	q.User.ID = r.userID()
}

// userID is the first id that events may carry: others are as good as none.
func (r *reader) userID() string {
	ids := [...]string{r.buyer, r.user, r.ifa, ""}
	if len(r.q.User.External) > 0 {
		ids[3] = r.q.User.External[0]
	}
	for _, id := range ids {
		if id != "" && usable(id) {
			return id
		}
	}
	return ""
}

// source reads who passes the request on: schain of 2.6, or that of 2.5 in ext.
func (r *reader) source() {
	if !r.object(false) {
		return
	}
	for r.Key() {
		switch r.Name() {
		case "schain":
			r.q.Chain = r.chain()
		case "ext":
			if !r.object(false) {
				continue
			}
			for r.Key() {
				if r.Name() == "schain" {
					r.older.chain = r.chain()
				} else {
					r.Skip()
				}
			}
		default:
			r.Skip()
		}
	}
}

func (r *reader) chain() auction.SupplyChain {
	c := auction.SupplyChain{Given: r.Kind() == strictjson.KindObject}
	if !r.object(false) {
		return c
	}
	for r.Key() {
		switch r.Name() {
		case "complete":
			c.Complete = r.on()
		case "nodes":
			if !r.array(false) {
				continue
			}
			for r.Element() {
				if node := r.node(); len(c.Nodes) < maxList {
					c.Nodes = append(c.Nodes, node)
				} else {
					r.refuse("is one too many: at most %d are allowed", maxList)
				}
			}
		default:
			r.Skip()
		}
	}
	return c
}

func (r *reader) node() (n auction.ChainNode) {
	if !r.object(false) {
		return n
	}
	for r.Key() {
		switch r.Name() {
		case "asi":
			n.System = domain(r.plain())
		case "sid":
			n.Seller = r.plain()
		default:
			r.Skip()
		}
	}
	return n
}

// Forms in which texts are compared.

func same(s string) string { return s }

func upper(s string) string { return strings.ToUpper(strings.TrimSpace(s)) }

func lower(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// language is the first part of a language's code: en of en-US.
func language(s string) string {
	if i := strings.IndexAny(s, "-_"); i >= 0 {
		s = s[:i]
	}
	return lower(s)
}

// domain is the host of an address or a domain, in lower case, without port, and without www. or *.
// before it, since a domain stands for its subdomains, too.
func domain(s string) string {
	s = strings.TrimSpace(s)
	if _, after, found := strings.Cut(s, "://"); found {
		s = after
	}
	s = strings.TrimPrefix(s, "//")
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s = s[:i]
	}
	s = s[strings.LastIndexByte(s, '@')+1:]
	if i := strings.IndexByte(s, ':'); i >= 0 {
		s = s[:i]
	}
	s = strings.TrimPrefix(strings.ToLower(strings.TrimSuffix(s, ".")), "*.")
	return strings.TrimPrefix(s, "www.")
}

// pageOf is an address without what may tell of the user: its query, fragment and password.
func pageOf(s string) string {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i]
	}
	host := 0
	if i := strings.Index(s, "//"); i >= 0 {
		host = i + 2
	}
	end := len(s)
	if i := strings.IndexByte(s[host:], '/'); i >= 0 {
		end = host + i
	}
	if i := strings.LastIndexByte(s[host:end], '@'); i >= 0 {
		return s[:host] + s[host+i+1:]
	}
	return s
}

// unique drops repeated texts; the order stays.
func unique(texts []string) []string {
	kept := texts[:0]
	for _, s := range texts {
		if !slices.Contains(kept, s) {
			kept = append(kept, s)
		}
	}
	return kept
}
