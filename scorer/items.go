package scorer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/clickloop/clickloop/stream"
)

// The calls of administrators that read and change catalogues. A change is a record on the
// catalogue's topic, and is answered when Kafka has acknowledged it; every scorer, this one too,
// learns of it from there.

const (
	maxItemsBody = 16 << 20         // bytes of a body of items
	maxItemLines = 100_000          // of it
	itemWait     = 10 * time.Second // for Kafka
	itemSeen     = time.Second      // for this process to have what Kafka has acknowledged
	maxNamed     = 100              // lines that were refused and are named
)

func (s *Scorer) registerItems(admin *http.ServeMux) {
	admin.HandleFunc("GET /v1/items/{id...}", s.withCatalogue(s.handleGetItem))
	admin.HandleFunc("PUT /v1/items/{id...}", s.withCatalogue(s.handlePutItem))
	admin.HandleFunc("DELETE /v1/items/{id...}", s.withCatalogue(s.handleDeleteItem))
	admin.HandleFunc("POST /v1/items", s.withCatalogue(s.handlePostItems))
}

// withCatalogue finds the catalogue that a call is about: that of ?catalogue=, or the only one.
func (s *Scorer) withCatalogue(next func(http.ResponseWriter, *http.Request, *served)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query, err := inbound.Query(r, "catalogue")
		if err != nil {
			web.Refuse(w, http.StatusBadRequest, "", err)
			return
		}
		name := query.Get("catalogue")
		if name == "" && len(s.catalogues) == 1 {
			name = s.catalogues[0].Name
		}
		c, err := s.catalogue(name)
		if err != nil {
			web.Refuse(w, http.StatusNotFound, "not_found", err)
			return
		}
		next(w, r, c)
	}
}

// handleGetItem answers an item as this process has it.
func (s *Scorer) handleGetItem(w http.ResponseWriter, r *http.Request, c *served) {
	id := r.PathValue("id")
	v := c.View()
	if id == "" {
		o := strictjson.NewObject(nil)
		o.Text("catalogue", c.Name)
		o.Integer("items", int64(v.Items()))
		o.Integer("bytes", c.Bytes())
		web.WriteJSON(w, http.StatusOK, o.End())
		return
	}
	slot, ok := c.Find(v, id)
	if !ok {
		web.Refuse(w, http.StatusNotFound, "not_found", fmt.Errorf("the catalogue %s has no item %.100q", c.Name, id))
		return
	}
	item := v.Item(slot)
	web.WriteJSON(w, http.StatusOK, item.AppendJSON(nil))
}

func (s *Scorer) handlePutItem(w http.ResponseWriter, r *http.Request, c *served) {
	body, err := receiveItems(r, event.ItemLimits.Bytes)
	if err != nil {
		s.refuseItems(w, err)
		return
	}
	id := r.PathValue("id")
	item, _, err := parseItem(body, id)
	if err == nil && item.ID != id {
		err = &event.Error{Field: "id", Reason: "is another one than that of the address"}
	}
	if err == nil {
		err = c.Takes(item.ID, 1)
	}
	if err == nil {
		err = s.writeItems(r.Context(), c, []stream.Record{s.itemRecord(&item)})
	}
	s.answerItems(w, err, func(o *strictjson.Object) { o.Text("id", id) })
}

func (s *Scorer) handleDeleteItem(w http.ResponseWriter, r *http.Request, c *served) {
	id := r.PathValue("id")
	err := event.CheckID("id", id)
	if id == "" {
		err = &event.Error{Field: "id", Reason: "is missing"}
	}
	if err == nil {
		err = s.writeItems(r.Context(), c, []stream.Record{{Key: []byte(id), Headers: s.itemHeaders()}})
	}
	s.answerItems(w, err, func(o *strictjson.Object) { o.Text("id", id); o.Flag("deleted", true) })
}

// receiveItems reads a body.
func receiveItems(r *http.Request, limit int) ([]byte, error) {
	raw, err := inbound.Receive(r, limit)
	if err != nil {
		return nil, err
	}
	return inbound.Text(raw, r.Header, limit)
}

// parseItem reads an item of a body, or whether it is to be deleted. Members that no item has are
// refused: a field that stands beside "fields" would be lost.
func parseItem(b []byte, id string) (item event.Item, deleted bool, err error) {
	err = item.Read(b, id, func(r *event.Reader) {
		if r.Name() == "deleted" {
			deleted = r.Bool()
			return
		}
		r.Fail(event.UnknownName(r.Name(), event.ItemNames) + "; fields of the item stand in the member fields")
	})
	return item, deleted, err
}

// handlePostItems takes items as JSON lines. Lines that are wrong are named, and the others are
// written.
func (s *Scorer) handlePostItems(w http.ResponseWriter, r *http.Request, c *served) {
	body, err := receiveItems(r, maxItemsBody)
	if err != nil {
		s.refuseItems(w, err)
		return
	}
	var records []stream.Record
	var refused []web.Warning
	line, wrong, added := 0, 0, 0
	for text := range bytes.Lines(body) {
		line++
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		record, err := s.parseLine(c, text, &added)
		if err == nil && len(records) == maxItemLines {
			err = fmt.Errorf("the body has more than %d items: send fewer at once", maxItemLines)
		}
		if err == nil {
			records = append(records, record)
			continue
		}
		if wrong++; len(refused) < maxNamed {
			refused = append(refused, lineWarning(line, err))
		}
	}
	if len(records) == 0 && wrong == 0 {
		err = &event.Error{Field: "body", Reason: "has no items: want one JSON object a line"}
	}
	if err == nil {
		err = s.writeItems(r.Context(), c, records)
	}
	s.answerItems(w, err, func(o *strictjson.Object) {
		o.Integer("written", int64(len(records)))
		o.Integer("refused", int64(wrong))
		web.AddWarnings(o, refused)
	})
}

func (s *Scorer) parseLine(c *served, text []byte, added *int) (stream.Record, error) {
	item, deleted, err := parseItem(text, "")
	if err != nil {
		return stream.Record{}, err
	}
	if deleted {
		return stream.Record{Key: []byte(item.ID), Headers: s.itemHeaders()}, nil
	}
	if _, known := c.Find(c.View(), item.ID); !known {
		*added++
	}
	if err := c.Takes(item.ID, *added); err != nil {
		return stream.Record{}, err
	}
	return s.itemRecord(&item), nil
}

// lineWarning names a line that was refused.
func lineWarning(line int, err error) web.Warning {
	field := ""
	if wrong := (*event.Error)(nil); errors.As(err, &wrong) {
		field = wrong.Field
	}
	return web.Warning{Field: field, Message: fmt.Sprintf("line %d: %v", line, err)}
}

// itemRecord is an item as it goes to the topic.
func (s *Scorer) itemRecord(i *event.Item) stream.Record {
	i.Time = s.now()
	return stream.Record{Key: []byte(strings.Clone(i.ID)), Value: i.AppendJSON(nil), Headers: s.itemHeaders()}
}

func (s *Scorer) itemHeaders() []stream.Header { return s.client.MessageHeaders(event.SchemaItem) }

// writeItems returns nil when Kafka has acknowledged all records.
func (s *Scorer) writeItems(ctx context.Context, c *served, records []stream.Record) error {
	ctx, cancel := context.WithTimeout(ctx, itemWait)
	defer cancel()
	err := s.client.Produce(ctx, event.TopicCatalogue(c.Name), records)
	if err == nil && len(records) > 0 {
		// so that who asks this process next finds what it has written
		c.follower.Await(ctx, c.Catalogue, records[len(records)-1].Offset, itemSeen)
	}
	if large := (*stream.TooLargeError)(nil); err == nil || errors.As(err, &large) {
		return err
	}
	return &retryLater{fmt.Errorf("Kafka has not acknowledged: %w", err)}
}

func (s *Scorer) answerItems(w http.ResponseWriter, err error, with func(*strictjson.Object)) {
	if err != nil {
		s.refuseItems(w, err)
		return
	}
	o := strictjson.NewObject(nil)
	with(&o)
	web.WriteJSON(w, http.StatusOK, o.End())
}

func (s *Scorer) refuseItems(w http.ResponseWriter, err error) {
	status, code := statusOf(err)
	web.Refuse(w, status, code, err)
}
