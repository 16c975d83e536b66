package openrtb

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/internal/strictjson"
)

// Answer is a bid response. Without seats it says that there is no bid, and why.
type Answer struct {
	ID       string // of the request
	BidID    string // the bidder's own id of the answer; empty: left out
	Currency string // of the prices; empty: left out, which means USD
	NBR      int    // why there is no bid: written only where Seats is empty
	Seats    []SeatBid
}

// SeatBid are the bids of one buyer seat.
type SeatBid struct {
	Seat string // empty: left out
	Bids []Bid
}

// Bid is one offer. Empty texts and lists, and numbers that are 0, are left out, except for the
// price.
type Bid struct {
	ID      string
	ImpID   string
	Price   float64 // CPM; written with at most four decimals
	AdID    string
	CrID    string
	CID     string
	Deal    string
	ADomain []string
	Cat     []string
	CatTax  int
	Adm     string
	// IURL is a picture of the ad, for those who check it; Bundle is the app that is advertised
	IURL, Bundle     string
	W, H             int
	MType            int
	Attr             []int
	API              []int // written as api, its first, for 2.5, and as apis
	Protocol         int
	Exp              int // seconds
	Dur              int // seconds
	Language         string
	NURL, BURL, LURL string
	// Behalf and Paid are on whose behalf the ad is shown and who pays for it, as a request asks by
	// auction.Request.Disclosure; written as ext.dsa where either is there.
	Behalf, Paid string
}

// AppendResponse appends a as JSON on one line. One answer has one form. Texts are escaped as JSON
// demands and no further: markup keeps <, > and &.
func AppendResponse(dst []byte, a *Answer) []byte {
	o := strictjson.NewObject(dst)
	o.Text("id", a.ID)
	o.OptionalText("bidid", a.BidID)
	if len(a.Seats) == 0 {
		o.Integer("nbr", int64(a.NBR))
		return o.End()
	}
	o.OptionalText("cur", a.Currency)
	o.Key("seatbid")
	o.Buf = append(o.Buf, '[')
	for i := range a.Seats {
		o.Buf = comma(o.Buf, i)
		o.Buf = a.Seats[i].append(o.Buf)
	}
	o.Buf = append(o.Buf, ']')
	return o.End()
}

func (s *SeatBid) append(dst []byte) []byte {
	o := strictjson.NewObject(dst)
	o.OptionalText("seat", s.Seat)
	o.Key("bid")
	o.Buf = append(o.Buf, '[')
	for i := range s.Bids {
		o.Buf = comma(o.Buf, i)
		o.Buf = s.Bids[i].append(o.Buf)
	}
	o.Buf = append(o.Buf, ']')
	return o.End()
}

func (b *Bid) append(dst []byte) []byte {
	o := strictjson.NewObject(dst)
	o.Text("id", b.ID)
	o.Text("impid", b.ImpID)
	o.Key("price")
	o.Buf = appendPrice(o.Buf, b.Price)
	o.OptionalText("nurl", b.NURL)
	o.OptionalText("burl", b.BURL)
	o.OptionalText("lurl", b.LURL)
	o.OptionalText("adm", b.Adm)
	o.OptionalText("adid", b.AdID)
	appendTexts(&o, "adomain", b.ADomain)
	o.OptionalText("bundle", b.Bundle)
	o.OptionalText("iurl", b.IURL)
	o.OptionalText("cid", b.CID)
	o.OptionalText("crid", b.CrID)
	o.OptionalInteger("cattax", int64(b.CatTax))
	appendTexts(&o, "cat", b.Cat)
	appendNumbers(&o, "attr", b.Attr)
	if len(b.API) > 0 {
		o.Integer("api", int64(b.API[0]))
		appendNumbers(&o, "apis", b.API)
	}
	o.OptionalInteger("protocol", int64(b.Protocol))
	o.OptionalText("language", b.Language)
	o.OptionalText("dealid", b.Deal)
	o.OptionalInteger("w", int64(b.W))
	o.OptionalInteger("h", int64(b.H))
	o.OptionalInteger("exp", int64(b.Exp))
	o.OptionalInteger("dur", int64(b.Dur))
	o.OptionalInteger("mtype", int64(b.MType))
	if b.Behalf != "" || b.Paid != "" {
		o.Key("ext")
		o.Buf = append(o.Buf, `{"dsa":`...)
		dsa := strictjson.NewObject(o.Buf)
		dsa.OptionalText("behalf", b.Behalf)
		dsa.OptionalText("paid", b.Paid)
		o.Buf = append(dsa.End(), '}')
	}
	return o.End()
}

// appendPrice writes at most four decimals: a price of whole micros has three. What is below half
// of the last decimal, and what is no price, is 0.
func appendPrice(dst []byte, cpm float64) []byte {
	if !strictjson.Finite(cpm) || cpm <= 0 {
		return append(dst, '0')
	}
	dst = strconv.AppendFloat(dst, cpm, 'f', 4, 64)
	return bytes.TrimRight(bytes.TrimRight(dst, "0"), ".")
}

func appendTexts(o *strictjson.Object, name string, texts []string) {
	if len(texts) == 0 {
		return
	}
	o.Key(name)
	o.Buf = append(o.Buf, '[')
	for i, s := range texts {
		o.Buf = strictjson.AppendString(comma(o.Buf, i), s)
	}
	o.Buf = append(o.Buf, ']')
}

func appendNumbers(o *strictjson.Object, name string, numbers []int) {
	if len(numbers) == 0 {
		return
	}
	o.Key(name)
	o.Buf = append(o.Buf, '[')
	for i, n := range numbers {
		o.Buf = strconv.AppendInt(comma(o.Buf, i), int64(n), 10)
	}
	o.Buf = append(o.Buf, ']')
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

// VersionHeader is the HTTP header that names the version of OpenRTB.
const VersionHeader = "x-openrtb-version"

// ReplyVersion is the value of VersionHeader for an answer to a request with such a value: the
// request's, as far as there is a difference for answers, and the newest where it has none.
func ReplyVersion(requested string) string {
	requested = strings.TrimSpace(requested)
	for _, v := range [...]string{"2.0", "2.1", "2.2", "2.3", "2.4", "2.5"} {
		if requested == v || strings.HasPrefix(requested, v+".") {
			return "2.5"
		}
	}
	return "2.6"
}
