package scorer

import (
	"strconv"

	"github.com/clickloop/clickloop/event"
)

// Token returns the signed token of the prediction of a chosen candidate, which events about it
// must bring back. It is empty where the engine has no keys. Only chosen candidates are logged, so
// no event about another one could label anything.
func (e *Engine) Token(q *Request, s *Scored) string {
	if e.keys == nil {
		return ""
	}
	return string(e.keys.Keys().Append(nil, []byte(event.PredictionID(q.ID, s.Index)), q.Answer.Time))
}

// appendToken appends the token of the prediction of the i-th candidate, as a member of an object
// that has others before it. It allocates nothing: the id stands behind dst for a moment, and the
// token is moved over it.
func (e *Engine) appendToken(dst []byte, q *Request, i int) []byte {
	if e.keys == nil {
		return dst
	}
	dst = append(dst, `,"token":"`...)
	at := len(dst)
	dst = strconv.AppendInt(append(append(dst, q.ID...), '.'), int64(i), 10) // event.PredictionID
	id := dst[at:]
	dst = e.keys.Keys().Append(dst, id, q.Answer.Time)
	dst = dst[:at+copy(dst[at:], dst[at+len(id):])]
	return append(dst, '"')
}
