package campaign

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/clickloop/clickloop/stream"
)

// The calls of administrators that read and change campaigns. A change is a record on the topic,
// and is answered when Kafka has acknowledged it; every bidder, this one too, learns of it from
// there.

// Campaigns of a list, where ?limit= says nothing, and at most.
const (
	listLimit = 100
	listMost  = 1000
)

// errChanged is returned where an If-Match or If-None-Match does not hold.
var errChanged = errors.New("the campaign is not as the condition of the call has it: somebody has changed it; read it again")

// Register adds the calls to the admin port's mux. Whoever serves it checks the keys of callers.
func (s *Store) Register(admin *http.ServeMux) {
	admin.HandleFunc("GET /v1/campaigns", s.handleList)
	admin.HandleFunc("GET /v1/campaigns/{id}", s.handleGet)
	admin.HandleFunc("PUT /v1/campaigns/{id}", s.handlePut)
	admin.HandleFunc("DELETE /v1/campaigns/{id}", s.handleDelete)
}

// handleList answers campaigns in the order of their ids, as this process has them.
func (s *Store) handleList(w http.ResponseWriter, r *http.Request) {
	query, err := inbound.Query(r, "limit", "after")
	limit := listLimit
	if text := query.Get("limit"); err == nil && text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > listMost {
			err = field.Wrong("limit", "is %s, want 1 to %d", strictjson.Quote(text), listMost)
		}
	}
	if err == nil {
		err = s.ready()
	}
	if err != nil {
		refuse(w, err)
		return
	}
	web.WriteJSON(w, http.StatusOK, s.appendList(nil, limit, query.Get("after")))
}

func (s *Store) appendList(dst []byte, limit int, after string) []byte {
	v, now := s.Catalogue.View(), s.Now()
	ids := v.IDs()
	from, found := slices.BinarySearch(ids, after)
	if found {
		from++
	}
	to := min(from+limit, len(ids))
	o := strictjson.NewObject(dst)
	o.Key("campaigns")
	o.Buf = append(o.Buf, '[')
	for _, id := range ids[from:to] {
		e := v.find(id)
		if e == nil {
			continue // deleted just now
		}
		if o.Buf[len(o.Buf)-1] != '[' {
			o.Buf = append(o.Buf, ',')
		}
		c := e.campaign
		item := strictjson.NewObject(o.Buf)
		item.Text("id", id)
		item.OptionalText("name", c.Name)
		item.Text("status", c.Status(now))
		item.Text("advertiser", c.Advertiser.ID)
		item.Integer("creatives", int64(len(c.Creatives)))
		item.Text("etag", e.etag)
		o.Buf = item.End()
	}
	o.Buf = append(o.Buf, ']')
	o.Integer("total", int64(len(ids)))
	if to < len(ids) && to > 0 {
		o.Text("next", ids[to-1])
	}
	return o.End()
}

// handleGet answers a campaign as this process has it.
func (s *Store) handleGet(w http.ResponseWriter, r *http.Request) {
	id, err := s.id(r)
	if err == nil {
		err = s.ready()
	}
	if err != nil {
		refuse(w, err)
		return
	}
	e := s.Catalogue.View().find(id)
	if e == nil {
		refuse(w, errUnknown)
		return
	}
	setETag(w, e.etag)
	web.WriteJSON(w, http.StatusOK, e.campaign.AppendJSON(nil))
}

func (s *Store) handlePut(w http.ResponseWriter, r *http.Request) {
	id, err := s.id(r)
	var c *Campaign
	if err == nil {
		c, err = s.receive(r, id)
	}
	etag := ""
	if err == nil {
		etag, err = s.Put(r.Context(), c, conditions(r.Header))
	}
	if err != nil {
		refuse(w, err)
		return
	}
	setETag(w, etag)
	o := strictjson.NewObject(nil)
	o.Text("id", id)
	o.Text("status", c.Status(s.Now()))
	o.Text("etag", etag)
	web.WriteJSON(w, http.StatusOK, o.End())
}

func (s *Store) handleDelete(w http.ResponseWriter, r *http.Request) {
	id, err := s.id(r)
	if err == nil {
		err = s.Delete(r.Context(), id, conditions(r.Header))
	}
	if err != nil {
		refuse(w, err)
		return
	}
	o := strictjson.NewObject(nil)
	o.Text("id", id)
	o.Flag("deleted", true)
	web.WriteJSON(w, http.StatusOK, o.End())
}

// id is the campaign that a call is about.
func (s *Store) id(r *http.Request) (string, error) {
	if _, err := inbound.Query(r); err != nil {
		return "", err
	}
	id := r.PathValue("id")
	return id, event.CheckID("id", id)
}

// ready refuses what asks for campaigns before all of them were read.
func (s *Store) ready() error {
	if err := s.Follower.Ready(); err != nil {
		return &Unavailable{err}
	}
	return nil
}

// receive reads a campaign from a body.
func (s *Store) receive(r *http.Request, id string) (*Campaign, error) {
	raw, err := inbound.Receive(r, event.CampaignBytes)
	if err != nil {
		return nil, err
	}
	text, err := inbound.Text(raw, r.Header, event.CampaignBytes)
	if err != nil {
		return nil, err
	}
	c, err := Parse(text, id, s.Objectives)
	if err == nil && c.ID != id {
		err = field.Wrong("id", "is %s, another one than that of the address", strictjson.Quote(c.ID))
	}
	return c, err
}

// conditions is what a call's If-Match and If-None-Match say about the etag that is there.
func conditions(h http.Header) func(etag string) error {
	return func(etag string) error {
		if list := h.Values("If-Match"); len(list) > 0 && !names(list, etag) {
			return errChanged
		}
		if list := h.Values("If-None-Match"); len(list) > 0 && names(list, etag) {
			return errChanged
		}
		return nil
	}
}

// names says whether a list of etags has the one of what is there; * stands for any.
func names(list []string, etag string) bool {
	for _, line := range list {
		for one := range strings.SplitSeq(line, ",") {
			if one = strings.TrimSpace(one); etag != "" && (one == "*" || one == quoted(etag)) {
				return true
			}
		}
	}
	return false
}

func quoted(etag string) string { return `"` + etag + `"` }

func setETag(w http.ResponseWriter, etag string) { w.Header().Set("ETag", quoted(etag)) }

// refuse answers an error by its kind.
func refuse(w http.ResponseWriter, err error) {
	status, code := http.StatusBadRequest, ""
	switch {
	case err == errUnknown:
		status, code = http.StatusNotFound, "not_found"
	case err == errChanged:
		status, code = http.StatusPreconditionFailed, "changed"
	case errors.As(err, new(*Conflict)):
		status, code = http.StatusConflict, "conflict"
	case errors.As(err, new(*Unavailable)):
		status, code = http.StatusServiceUnavailable, "unavailable"
	case errors.As(err, new(*inbound.TooLarge)), errors.As(err, new(*stream.TooLargeError)), errors.As(err, new(*Full)):
		status, code = http.StatusRequestEntityTooLarge, "too_large"
	case errors.As(err, new(*inbound.Unsupported)):
		status, code = http.StatusUnsupportedMediaType, "unsupported"
	}
	web.Refuse(w, status, code, err)
}
