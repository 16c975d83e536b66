package replay

import (
	"bytes"

	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/signing"
)

// tokens are the signed tokens of predictions whose events are still to be sent, as many as there
// are such events. Without signing it stays empty.
type tokens map[string]owed

// owed is a token and the number of events that need it.
type owed struct {
	token  string
	events int
}

var tokenMember = []byte(`"token":"`)

// take keeps the tokens of an answer, which has a line for each row. A row has one candidate, so a
// line has one token. Texts of an answer have their quotes escaped, so the first match is the
// member.
func (t *tokens) take(rows []recording.Row, answer []byte) {
	for i := range rows {
		line, rest, _ := bytes.Cut(answer, []byte{'\n'})
		answer = rest
		_, text, found := bytes.Cut(line, tokenMember)
		if token, _, ok := bytes.Cut(text, []byte{'"'}); found && ok {
			t.keep(&rows[i], string(token))
		}
	}
}

// sign makes the tokens of a tick's rows, whose answers are not known any more. The tick's events
// were sent, too.
func (t *tokens) sign(tick *recording.Tick, keys *signing.Keys) {
	for i := range tick.Events {
		t.give(&tick.Events[i])
	}
	for i := range tick.Rows {
		row := &tick.Rows[i]
		t.keep(row, string(keys.Append(nil, []byte(event.PredictionID(row.Request, 0)), row.Time)))
	}
}

func (t *tokens) keep(row *recording.Row, token string) {
	if len(row.Events) == 0 {
		return
	}
	if *t == nil {
		*t = tokens{}
	}
	(*t)[row.Events[0].Prediction] = owed{token, len(row.Events)}
}

// give sets the token of an event that is about to be sent.
func (t *tokens) give(e *event.Event) {
	o, ok := (*t)[e.Prediction]
	if !ok {
		return
	}
	e.Token = o.token
	if o.events--; o.events == 0 {
		delete(*t, e.Prediction)
		return
	}
	(*t)[e.Prediction] = o
}
