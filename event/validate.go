package event

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/clickloop/clickloop/internal/field"
)

// Bounds of an event's content.
const (
	MaxTypeBytes = 64
	MaxIDBytes   = 256
	MaxWeight    = 1e6 // of an example: the most that a network takes
	MaxValue     = 1e9 // so that sums of micro-units stay below 64 bits
)

// earliest is the first time that an event may have. An earlier one was never set, or is in another
// unit.
var earliest = Time(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli())

// Validate checks an event from outside. The error is an *Error with the field and the reason. now
// is the receipt of the event, which e.Time may exceed by at most MaxAhead; with now 0 e.Time may
// be as late as it likes.
func (e *Event) Validate(now Time) error {
	if err := checkName("type", e.Type, MaxTypeBytes); err != nil {
		return err
	}
	if e.Type == "" {
		return field.Wrong("type", "is missing; expected what happened, such as click")
	}
	ids := [...]struct{ name, value string }{
		{"id", e.ID}, {"user", e.User}, {"anonymous", e.Anonymous}, {"prediction", e.Prediction}, {"token", e.Token}, {"request", e.Request},
		{"ad", e.Ad}, {"campaign", e.Campaign}, {"channel", e.Channel}, {"source", e.Source},
		{"collector", e.Collector}, {"time_rule", e.TimeRule},
	}
	for _, id := range ids {
		if err := CheckID(id.name, id.value); err != nil {
			return err
		}
	}
	if math.IsNaN(e.Value) || math.Abs(e.Value) > MaxValue {
		return field.Wrong("value", "is %s, expected an amount between -1e9 and 1e9", strconv.FormatFloat(e.Value, 'g', -1, 64))
	}
	return e.checkTime(now)
}

func (e *Event) checkTime(now Time) error {
	switch {
	case e.Time == 0:
		return field.Wrong("time", "is missing; expected a time such as 2026-11-25T09:00:00.123Z")
	case e.Time < earliest:
		return field.Wrong("time", "is %s, before the year 2000", e.Time)
	case now != 0 && e.Time > now.Add(MaxAhead):
		return field.Wrong("time", "is %s, more than %d hours after its receipt at %s: the client's clock is wrong", e.Time, MaxAhead/time.Hour, now)
	case e.Time > maxTime:
		return field.Wrong("time", "is after the year 9999")
	}
	return nil
}

// CheckID is the rule for all ids and names: at most MaxIDBytes of UTF-8 without control
// characters. The error is an *Error about field.
func CheckID(field, s string) error { return checkName(field, s, MaxIDBytes) }

// MaxRequestIDBytes leaves room for the number that PredictionID adds, for up to 10,000 candidates.
const MaxRequestIDBytes = MaxIDBytes - len(".9999")

// CheckRequestID is CheckID for the id of a score request. The ids of predictions are made of it,
// and a prediction whose id the collector refuses could never get a label.
func CheckRequestID(s string) error { return checkName("request", s, MaxRequestIDBytes) }

// checkName refuses a name that cannot be shown or compared: too long, not UTF-8, or with control
// characters.
func checkName(name, s string, limit int) error {
	if len(s) > limit {
		return field.Wrong(name, "has %d bytes, at most %d are allowed", len(s), limit)
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return field.Wrong(name, "contains a control character")
		}
	}
	if !utf8.ValidString(s) {
		return field.Wrong(name, "is not valid UTF-8")
	}
	return nil
}
