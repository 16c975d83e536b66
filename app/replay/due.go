package replay

import (
	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
)

// dueQueue counts the examples that are due by a time: the rows whose trigger happens before their
// label is due. Rows arrive in order of time, so the queue is in order, too.
type dueQueue struct {
	kind    *objective.Kind
	waiting []dueRows
	done    int64
}

type dueRows struct {
	at event.Time
	n  int64
}

// add adds the rows whose trigger happens before their label is due.
func (q *dueQueue) add(rows []recording.Row) {
	for i := range rows {
		at := q.kind.Due(rows[i].Time)
		if !q.triggered(&rows[i], at) {
			continue
		}
		if n := len(q.waiting); n > 0 && q.waiting[n-1].at == at {
			q.waiting[n-1].n++
			continue
		}
		q.waiting = append(q.waiting, dueRows{at, 1})
	}
}

// before returns the number of examples due by t.
func (q *dueQueue) before(t event.Time) int64 {
	i := 0
	for i < len(q.waiting) && q.waiting[i].at <= t {
		q.done += q.waiting[i].n
		i++
	}
	q.waiting = append(q.waiting[:0], q.waiting[i:]...)
	return q.done
}

func (q *dueQueue) triggered(r *recording.Row, due event.Time) bool {
	if q.kind.Trigger == event.TriggerPrediction {
		return true
	}
	for i := range r.Events {
		if r.Events[i].Type == q.kind.Trigger && r.Events[i].Received <= due {
			return true
		}
	}
	return false
}
