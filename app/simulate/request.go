package simulate

import (
	"encoding/json"
	"fmt"

	"github.com/clickloop/clickloop/bidder/auction"
)

// The members of OpenRTB's bid request that the exchange sends.
type (
	bidRequest struct {
		ID     string     `json:"id"`
		Imp    []imp      `json:"imp"`
		Site   *placeJSON `json:"site,omitempty"`
		App    *placeJSON `json:"app,omitempty"`
		Device deviceJSON `json:"device"`
		User   userJSON   `json:"user"`
		At     int        `json:"at"`
		TMax   int64      `json:"tmax"`
		Cur    []string   `json:"cur"`
		BCat   []string   `json:"bcat,omitempty"`
		BAdv   []string   `json:"badv,omitempty"`
		Regs   *regs      `json:"regs,omitempty"`
	}
	imp struct {
		ID       string      `json:"id"`
		TagID    string      `json:"tagid"`
		Banner   *bannerJSON `json:"banner,omitempty"`
		Video    *videoJSON  `json:"video,omitempty"`
		Native   *nativeJSON `json:"native,omitempty"`
		Floor    float64     `json:"bidfloor"`
		FloorCur string      `json:"bidfloorcur"`
		Secure   int         `json:"secure"`
		Full     int         `json:"instl,omitempty"`
		Rewarded int         `json:"rwdd,omitempty"`
		Expires  int         `json:"exp"`
	}
	sizeJSON struct {
		W int `json:"w"`
		H int `json:"h"`
	}
	bannerJSON struct {
		Format   []sizeJSON `json:"format"`
		Position int        `json:"pos"`
	}
	videoJSON struct {
		MIMEs     []string `json:"mimes"`
		Min       int      `json:"minduration"`
		Max       int      `json:"maxduration"`
		Protocols []int    `json:"protocols"`
		W         int      `json:"w"`
		H         int      `json:"h"`
		Plcmt     int      `json:"plcmt"`
		Linearity int      `json:"linearity"`
		Position  int      `json:"pos"`
	}
	nativeJSON struct {
		Request string `json:"request"`
		Version string `json:"ver"`
	}
	placeJSON struct {
		ID        string   `json:"id"`
		Name      string   `json:"name"`
		Domain    string   `json:"domain,omitempty"`
		Page      string   `json:"page,omitempty"`
		Bundle    string   `json:"bundle,omitempty"`
		Cat       []string `json:"cat,omitempty"`
		Publisher struct {
			ID string `json:"id"`
		} `json:"publisher"`
	}
	deviceJSON struct {
		UA         string  `json:"ua"`
		IP         string  `json:"ip"`
		Geo        geoJSON `json:"geo"`
		Type       int     `json:"devicetype"`
		Make       string  `json:"make,omitempty"`
		OS         string  `json:"os"`
		Language   string  `json:"language"`
		Connection int     `json:"connectiontype"`
		Limited    int     `json:"lmt,omitempty"`
	}
	geoJSON struct {
		Country string  `json:"country"`
		Region  string  `json:"region"`
		Lat     float64 `json:"lat"`
		Lon     float64 `json:"lon"`
		Offset  int     `json:"utcoffset"`
	}
	userJSON struct {
		ID      string     `json:"id"`
		Consent string     `json:"consent,omitempty"`
		Data    []dataJSON `json:"data,omitempty"`
		Ext     *userExt   `json:"ext,omitempty"`
	}
	dataJSON struct {
		ID      string        `json:"id"`
		Segment []segmentJSON `json:"segment"`
	}
	segmentJSON struct {
		ID string `json:"id"`
	}
	userExt struct {
		Consent string `json:"consent"`
	}
	regs struct {
		GDPR      *int     `json:"gdpr,omitempty"`
		USPrivacy string   `json:"us_privacy,omitempty"`
		Ext       *regsExt `json:"ext,omitempty"`
	}
	regsExt struct {
		GDPR      *int   `json:"gdpr,omitempty"`
		USPrivacy string `json:"us_privacy,omitempty"`
	}
)

// Consent strings of version 2 of the Transparency and Consent Framework: one that allows all
// eleven purposes to all vendors up to 1500, and one that allows nothing to nobody.
const (
	tcfAll     = "CQk9nIAQk9nIAAKABBENAwEgAP_gAEPgAAAALuQAYAAgu4C7kAGAAILuAAA"
	tcfNothing = "CQk9nIAQk9nIAAKABBENAwEgAAAAAAAAAAAAAAAAAAAA"
)

// Answers of usPrivacy.
const (
	sold    = "1YNN"
	notSold = "1YYN"
)

const (
	provider    = "interests.example" // of the segments, whose ids are names of topics
	expiryOfImp = 300                 // seconds in which a win may still be shown
	// one in so many requests has the signals of consent where OpenRTB 2.5 has them
	oldForm = 4
	// seconds that a video takes
	leastVideo, mostVideo = 5, 30
)

// version is OpenRTB's, of a request's form.
func (s *sale) version() string {
	if s.n%oldForm == 0 {
		return "2.5"
	}
	return "2.6"
}

// body is the bid request.
func (s *sale) body() []byte {
	v, p := s.visitor, s.place
	d := devices[v.device]
	r := bidRequest{
		ID: s.id, At: secondPrice, TMax: s.tmax.Milliseconds(), Cur: []string{"USD"},
		BCat: []string{"IAB25", "IAB26"}, BAdv: []string{"blocked.example"},
		Device: deviceJSON{
			UA: d.agent, IP: fmt.Sprintf("203.0.113.%d", 1+hash(v.id, 0)%250), Type: d.kind, Make: d.brand, OS: d.os, Language: "en", Connection: d.connectionType,
			Geo: geoJSON{v.country.code, v.country.region, v.country.lat, v.country.lon, v.country.offset},
		},
		User: userJSON{ID: v.id},
	}
	if s.firstPrice {
		r.At = firstPrice
	}
	at := &placeJSON{ID: "p-" + p.domain, Name: p.name}
	at.Publisher.ID = "publisher-" + p.domain
	if p.about != anything {
		at.Cat = []string{topics[p.about].category}
	}
	if r.Site = at; p.app {
		at.Bundle, r.App, r.Site = p.domain, at, nil
	} else {
		at.Domain, at.Page = p.domain, "http://"+p.domain+"/"
		if s.secure {
			at.Page = "https://" + p.domain + "/"
		}
	}
	if v.consents {
		r.User.Data = []dataJSON{{ID: provider, Segment: []segmentJSON{{ID: topics[v.interest].name}}}}
	}
	s.consent(&r)
	for i := range s.imps {
		r.Imp = append(r.Imp, s.imps[i].json(s.secure))
	}
	body, err := json.Marshal(&r)
	if err != nil {
		panic("BUG: a bid request is no JSON: " + err.Error())
	}
	return body
}

// consent sets the signals by which the visitor's country speaks.
func (s *sale) consent(r *bidRequest) {
	v := s.visitor
	switch v.country.law {
	case gdpr:
		applies, text := 1, tcfAll
		if !v.consents {
			text = tcfNothing
		}
		if s.version() == "2.5" {
			r.Regs, r.User.Ext = &regs{Ext: &regsExt{GDPR: &applies}}, &userExt{text}
			return
		}
		r.Regs, r.User.Consent = &regs{GDPR: &applies}, text
	case usPrivacy:
		text := sold
		if !v.consents {
			text = notSold
		}
		if s.version() == "2.5" {
			r.Regs = &regs{Ext: &regsExt{USPrivacy: text}}
			return
		}
		r.Regs = &regs{USPrivacy: text}
	default:
		if !v.consents {
			r.Device.Limited = 1
		}
	}
}

// nativeRequest is the parts of which a page draws a native ad.
const nativeRequest = `{"ver":"1.2","context":1,"plcmttype":1,"plcmtcnt":1,"assets":[` +
	`{"id":1,"required":1,"title":{"len":90}},{"id":2,"required":1,"img":{"type":3,"wmin":300,"hmin":150}},` +
	`{"id":3,"required":0,"data":{"type":1}},{"id":4,"required":0,"data":{"type":2,"len":140}}],` +
	`"eventtrackers":[{"event":1,"methods":[1]}]}`

func (o *offered) json(secure bool) imp {
	i := imp{ID: o.id, TagID: o.slot.page.domain + "/" + o.slot.tag, Floor: o.floor, FloorCur: "USD", Secure: number(secure), Expires: expiryOfImp, Full: number(o.slot.full), Rewarded: number(o.slot.rewarded)}
	if o.slot.format == auction.FormatBanner {
		i.Banner = &bannerJSON{Position: o.slot.position}
		for _, size := range o.slot.sizes {
			i.Banner.Format = append(i.Banner.Format, sizeJSON{size.W, size.H})
		}
	}
	if o.slot.format == auction.FormatNative {
		i.Native = &nativeJSON{nativeRequest, "1.2"}
	}
	if o.slot.video {
		i.Video = &videoJSON{MIMEs: []string{"video/mp4"}, Min: leastVideo, Max: mostVideo, Protocols: []int{2, 3, 5, 6, 7, 8}, W: 640, H: 360, Plcmt: 4, Linearity: 1, Position: o.slot.position}
		if o.slot.rewarded {
			i.Video.Plcmt = 3
		}
	}
	return i
}

// number is 1 for true.
func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
