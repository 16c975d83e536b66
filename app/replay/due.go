package replay

import (
	"time"

	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/event"
)

// dueQueue counts the examples that are due by a time: the rows whose trigger happens, at prediction
// time + window. Rows arrive in order of time; so the queue is in order, too.
type dueQueue struct {
	window  event.Time
	waiting []dueRows
	done    int64
}

type dueRows struct {
	at event.Time
	n  int64
}

// add adds the rows whose trigger happens within the window.
func (q *dueQueue) add(rows []recording.Row, o event.Objective) {
	for i := range rows {
		if !triggered(&rows[i], o) {
			continue
		}
		at := rows[i].Time + q.window
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

func triggered(r *recording.Row, o event.Objective) bool {
	if o.Trigger == event.TriggerPrediction {
		return true
	}
	for i := range r.Events {
		if r.Events[i].Type == o.Trigger && r.Events[i].Received <= r.Time+event.Time(o.Window/time.Millisecond) {
			return true
		}
	}
	return false
}
