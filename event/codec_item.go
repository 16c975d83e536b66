package event

import "fmt"

// AppendJSON appends i as one line of JSON, without a newline.
func (i *Item) AppendJSON(dst []byte) []byte {
	l := newLine(dst)
	l.Text("id", i.ID)
	l.OptionalText("campaign", i.Campaign)
	if i.Value != 1 {
		l.Number("value", i.Value)
	}
	l.optionalFacts("fields", i.Fields)
	l.time("time", i.Time)
	return l.End()
}

// MarshalJSON is AppendJSON, for encoding/json.
func (i *Item) MarshalJSON() ([]byte, error) { return i.AppendJSON(nil), nil }

// ParseItem reads what AppendJSON writes, and checks it: the error is an *Error with the field and
// the reason.
func ParseItem(b []byte) (Item, error) {
	var i Item
	err := i.UnmarshalJSON(b)
	return i, err
}

// UnmarshalJSON is ParseItem into i. It ignores members that it does not know.
func (i *Item) UnmarshalJSON(b []byte) error {
	return i.Read(b, "", func(r *Reader) { r.Skip() })
}

// Read is ParseItem into i. An item without an id gets the given one. unknown is called at members
// that no item has; it reads or skips the value, or fails.
func (i *Item) Read(b []byte, id string, unknown func(*Reader)) error {
	r := acquire(b, ItemLimits)
	defer r.release()
	*i = Item{ID: id, Value: 1}
	for r.message(); r.Key(); {
		switch r.Name() {
		case "id":
			i.ID = r.checkedID()
		case "campaign":
			i.Campaign = r.checkedID()
		case "value":
			if i.Value = r.Number(); !(i.Value >= 0 && i.Value <= MaxValue) {
				r.Fail(fmt.Sprintf("is %v, expected an amount of 0 to 1e9", i.Value))
			}
		case "fields":
			i.Fields = r.Fields(i.Fields)
			if len(i.Fields) > MaxItemFields {
				r.Fail(fmt.Sprintf("has %d fields, at most %d are allowed", len(i.Fields), MaxItemFields))
			}
		case "time":
			i.Time = r.Time()
		default:
			unknown(r)
		}
	}
	if r.need("id", i.ID != ""); i.ID != "" && r.Err() == nil {
		if err := CheckID("", i.ID); err != nil {
			r.FailField("id", err.(*Error).Reason)
		}
	}
	return r.End()
}

// checkedID reads a text that is used as an id.
func (r *Reader) checkedID() string {
	s := r.Text()
	if err := CheckID("", s); err != nil {
		r.Fail(err.(*Error).Reason)
	}
	return s
}
