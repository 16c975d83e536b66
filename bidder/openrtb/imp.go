package openrtb

import (
	"slices"
	"strings"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// impressions reads the places of the request. A place that cannot be bid on is left out, with its
// reason; ids that are given twice refuse the request, since a bid could mean either.
func (r *reader) impressions() {
	if !r.array(true) {
		return
	}
	r.imps = 0
	r.allImps, r.impIDs = r.allImps[:0], r.impIDs[:0]
	for r.Element() {
		if r.imps == maxImps {
			r.refuse("is one too many: at most %d are allowed", maxImps)
			r.Skip()
			continue
		}
		r.impression()
		r.imps++
	}
	r.q.Imps = slices.Clone(r.allImps)
}

func (r *reader) impression() {
	m := auction.Imp{Index: r.imps, FloorCur: "USD", Multiplier: 1}
	reason := r.within(func() { r.imp(&m) })
	if m.ID != "" {
		if slices.Contains(r.impIDs, m.ID) {
			r.refuse("has the id of another imp")
		}
		r.impIDs = append(r.impIDs, m.ID)
	}
	if reason != "" {
		r.leaveOut(&m, reason)
		return
	}
	r.allImps = append(r.allImps, m)
}

func (r *reader) leaveOut(m *auction.Imp, reason string) {
	r.q.Refused = append(r.q.Refused, auction.Refusal{Index: m.Index, Imp: m.ID, Reason: reason})
}

// imp reads one place.
func (r *reader) imp(m *auction.Imp) {
	if !r.object(true) {
		return
	}
	var forms [4]string // why a form of ad is left out
	sized := true
	for r.Key() {
		switch r.Name() {
		case "id":
			m.ID = r.id()
		case "tagid":
			m.Tag = r.plain()
		case "bidfloor":
			m.Floor = r.money()
		case "bidfloorcur":
			m.FloorCur = r.currency()
		case "secure":
			m.Secure = r.strict()
		case "instl":
			m.Full = r.on()
		case "rwdd":
			m.Rewarded = r.on() || m.Rewarded
		case "exp":
			if seconds, given := r.integer(); given && seconds > 0 {
				m.Expires = time.Duration(seconds) * time.Second
			}
		case "qty":
			r.quantity(m)
		case "pmp":
			r.deals(m)
		case "banner":
			forms[0] = r.form(func() { m.Banner, sized = r.banner() })
		case "video":
			forms[1] = r.form(func() { m.Video = r.video() })
		case "audio":
			forms[2] = r.form(func() { m.Audio = r.audio() })
		case "native":
			forms[3] = r.form(func() { m.Native = r.native() })
		case "ext":
			r.impExt(m)
		default:
			r.Skip()
		}
	}
	if m.ID == "" {
		r.refuse("has no id")
	}
	if m.Banner != nil && !sized && !m.Full && forms[0] == "" {
		forms[0] = r.place() + ".banner has no size: neither w and h nor format"
	}
	r.settleForms(m, forms)
}

// form reads one form of ad and returns why it cannot be bid on. null is no form.
func (r *reader) form(read func()) string {
	if r.Kind() == strictjson.KindNull {
		r.Null()
		return ""
	}
	return r.within(read)
}

// settleForms leaves out the forms of ads that cannot be bid on. A place without any is refused.
func (r *reader) settleForms(m *auction.Imp, forms [4]string) {
	drop := [...]func(){
		func() { m.Banner = nil }, func() { m.Video = nil }, func() { m.Audio = nil }, func() { m.Native = nil },
	}
	first := ""
	for i, reason := range forms {
		if reason == "" {
			continue
		}
		drop[i]()
		if first == "" {
			first = reason
		}
	}
	if m.Banner == nil && m.Video == nil && m.Audio == nil && m.Native == nil {
		if first == "" {
			r.refuse("has none of banner, video, audio and native")
		} else {
			r.because(first)
		}
		return
	}
	for _, reason := range forms {
		if reason != "" && r.reasons[r.scope] == "" {
			r.leaveOut(m, reason)
		}
	}
}

// currency reads a code of ISO 4217; none stands for USD.
func (r *reader) currency() string {
	s := upper(r.guarded())
	if s == "" {
		return "USD"
	}
	if len(s) != 3 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		r.refuse("is no currency's code of ISO 4217")
	}
	return s
}

// quantity reads how many impressions one showing counts as.
func (r *reader) quantity(m *auction.Imp) {
	if !r.object(true) {
		return
	}
	for r.Key() {
		if r.Name() != "multiplier" {
			r.Skip()
			continue
		}
		k := r.Kind()
		f, given, ok := r.number()
		switch {
		case !ok:
			r.refuse("is %s, expected a number", kindName(k))
		case given && (f <= 0 || f > maxMultiplier):
			r.refuse("is %v, expected a number above 0 and up to 1e6", f)
		case given:
			m.Multiplier = f
		}
	}
}

// impExt reads the home that rwdd had before 2.6, and that Prebid Server's clients use.
func (r *reader) impExt(m *auction.Imp) {
	if !r.object(false) {
		return
	}
	for r.Key() {
		switch r.Name() {
		case "is_rewarded_inventory":
			m.Rewarded = r.on() || m.Rewarded
		case "prebid":
			if !r.object(false) {
				continue
			}
			for r.Key() {
				if r.Name() == "is_rewarded_inventory" {
					m.Rewarded = r.on() || m.Rewarded
				} else {
					r.Skip()
				}
			}
		default:
			r.Skip()
		}
	}
}

// deals reads pmp. A deal that cannot be read refuses the place, as does a list of deals.
func (r *reader) deals(m *auction.Imp) {
	if !r.object(true) {
		return
	}
	for r.Key() {
		switch r.Name() {
		case "private_auction":
			m.DealOnly = r.strict()
		case "deals":
			r.dealList(m)
		default:
			r.Skip()
		}
	}
}

func (r *reader) dealList(m *auction.Imp) {
	if !r.array(true) {
		return
	}
	var asRequest []int
	for r.Element() {
		if len(m.Deals) == maxDeals {
			r.refuse("is one too many: at most %d are allowed", maxDeals)
			r.Skip()
			continue
		}
		d, given := r.deal()
		if !given {
			asRequest = append(asRequest, len(m.Deals))
		}
		m.Deals = append(m.Deals, d)
	}
	for _, i := range asRequest {
		r.dealsAsRequest = append(r.dealsAsRequest, &m.Deals[i])
	}
}

// deal reads one deal. given says that it has a rule of its own for what the winner pays; 3 is a
// price that is agreed on, and anything but 2 counts as a first price, as it does for requests.
func (r *reader) deal() (d auction.Deal, given bool) {
	d.FloorCur = "USD"
	if !r.object(true) {
		return d, true
	}
	for r.Key() {
		switch r.Name() {
		case "id":
			d.ID = r.id()
		case "bidfloor":
			d.Floor = r.money()
		case "bidfloorcur":
			d.FloorCur = r.currency()
		case "at":
			at, has, ok := r.number()
			given = has || !ok
			d.FirstPrice, d.FixedPrice = given && at != 2, at == 3
		case "wseat":
			d.Seats = r.list(allowList, maxList, same)
		case "wadomain":
			d.AdvertiserDomains = r.list(allowList, maxList, domain)
		case "mincpmpersec":
			d.Floors.PerSecond = r.money()
		case "durfloors":
			d.Floors.Ranges = r.durationFloors()
		default:
			r.Skip()
		}
	}
	if d.ID == "" {
		r.refuse("has no id")
	}
	return d, given
}

// durationFloors reads the floors that depend on how long a creative is.
func (r *reader) durationFloors() []auction.DurationFloor {
	if !r.array(true) {
		return nil
	}
	var all []auction.DurationFloor
	for r.Element() {
		if len(all) == maxList {
			r.refuse("is one too many: at most %d are allowed", maxList)
			r.Skip()
			continue
		}
		all = append(all, r.durationFloor())
	}
	return all
}

func (r *reader) durationFloor() (f auction.DurationFloor) {
	if !r.object(true) {
		return f
	}
	for r.Key() {
		switch r.Name() {
		case "mindur":
			f.Min = r.seconds()
		case "maxdur":
			f.Max = r.seconds()
		case "bidfloor":
			f.Floor = r.money()
		default:
			r.Skip()
		}
	}
	return f
}

func (r *reader) seconds() time.Duration {
	s, _ := r.whole()
	return time.Duration(s) * time.Second
}
