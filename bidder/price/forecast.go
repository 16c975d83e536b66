package price

import (
	"time"

	"github.com/clickloop/clickloop/event"
)

const (
	hourMs  event.Time = 60 * 60 * 1000
	weekLen            = 7 * 24
)

// Forecast is how many auctions an hour brings. It learns by hour of the week, in UTC, and knows
// nothing at first: an hour that it has not seen is like the same hour of other days, else like the
// hours that it has seen, on the mean. Its size is fixed.
type Forecast struct {
	Week [weekLen]Hour `json:"week"`
	Day  [24]Hour      `json:"day"`

	hour  event.Time // that is being counted, since 1970
	since event.Time // from when on; 0: nothing was counted
	count float64
}

// Hour is the number of auctions in an hour.
type Hour struct {
	Auctions float64 `json:"auctions"`
	Known    bool    `json:"known"`
}

// learn takes a newer count: half of what is known stays.
func (h *Hour) learn(count float64) {
	if h.Known {
		count = (h.Auctions + count) / 2
	}
	*h = Hour{count, true}
}

// observe counts n auctions that came before now and after the last call.
func (f *Forecast) observe(n float64, now event.Time) {
	if f.since == 0 {
		f.since, f.hour = now, now/hourMs
	}
	f.roll(now)
	f.count += n
}

// roll ends the hours that are over. An hour of which less than half was counted teaches nothing.
func (f *Forecast) roll(now event.Time) {
	for skipped := 0; now/hourMs > f.hour && skipped <= weekLen; skipped++ {
		end := (f.hour + 1) * hourMs
		if part := float64(end-f.since) / float64(hourMs); part >= 0.5 {
			f.Week[weekHour(f.hour)].learn(f.count / part)
			f.Day[f.hour%24].learn(f.count / part)
		}
		f.hour, f.since, f.count = f.hour+1, end, 0
	}
	if now/hourMs > f.hour { // nothing came for a week
		f.hour, f.since = now/hourMs, now
	}
}

// weekHour is the hour of the week, from Monday: 1970 began on a Thursday.
func weekHour(hour event.Time) event.Time { return (hour + 3*24) % weekLen }

// at is the forecast of an hour since 1970, and whether the same hour of some day was seen.
func (f *Forecast) at(hour event.Time) (auctions float64, known bool) {
	if h := f.Week[weekHour(hour)]; h.Known {
		return h.Auctions, true
	}
	h := f.Day[hour%24]
	return h.Auctions, h.Known
}

// mean is that of the known hours of the day; 1 where none is known.
func (f *Forecast) mean() float64 {
	sum, n := 0.0, 0.0
	for _, h := range f.Day {
		if h.Known {
			sum, n = sum+h.Auctions, n+1
		}
	}
	if n == 0 || sum == 0 {
		return 1
	}
	return sum / n
}

// outlook is what a campaign expects: its own forecast, where that knows nothing the form of the
// forecast of all campaigns, and where that knows nothing either the same for every hour.
type outlook struct {
	own, all *Forecast
	scale    float64 // own auctions for one of all
	flat     float64
	open     func(hour event.Time) bool // whether the campaign bids in it; nil: always
}

func newOutlook(own, all *Forecast) outlook {
	o := outlook{own: own, all: all, flat: own.mean()}
	mine, others := 0.0, 0.0
	for i, h := range own.Day {
		if h.Known && all.Day[i].Known {
			mine, others = mine+h.Auctions, others+all.Day[i].Auctions
		}
	}
	if o.scale = 1; others > 0 && mine > 0 {
		o.scale = mine / others
	}
	return o
}

// at is how many auctions an hour brings, and whether that is known from other days.
func (o *outlook) at(hour event.Time) (auctions float64, known bool) {
	if n, known := o.own.at(hour); known {
		return n, true
	}
	if o.open != nil && !o.open(hour) {
		return 0, true
	}
	if n, known := o.all.at(hour); known {
		return n * o.scale, true
	}
	return o.flat, false
}

// foreseen is a number of auctions: from hours that are known from other days, and from others. The
// two are compared apart to what comes, since the second have no form.
type foreseen struct{ known, flat float64 }

// longestOutlook bounds how far hours are looked at one by one; beyond, a week is like the last.
const longestOutlook = 2 * weekLen

// between is how many auctions come in from <= t < to.
func (o *outlook) between(from, to event.Time) (sum foreseen) {
	var week foreseen
	for hours := 1; from < to; hours++ {
		hour := from / hourMs
		end := min((hour+1)*hourMs, to)
		n, known := o.at(hour)
		n *= float64(end-from) / float64(hourMs)
		sum.add(n, known)
		if hours > longestOutlook-weekLen {
			week.add(n, known)
		}
		if from = end; hours == longestOutlook {
			weeks := float64(to-from) / float64(weekLen*hourMs)
			sum.known, sum.flat = sum.known+weeks*week.known, sum.flat+weeks*week.flat
			break
		}
	}
	return sum
}

func (f *foreseen) add(n float64, known bool) {
	if known {
		f.known += n
	} else {
		f.flat += n
	}
}

// level is by how much more auctions come than were foreseen; old evidence fades.
type level struct{ came, foreseen float64 }

// observe takes the auctions of some minutes, and what was foreseen for them.
func (l *level) observe(came, foreseen, keep float64) {
	if foreseen > 0 {
		l.came, l.foreseen = l.came*keep+came, l.foreseen*keep+foreseen
	}
}

// factor is 1 where there is no evidence, and begins there with the weight of prior auctions.
func (l *level) factor(prior float64) float64 {
	if l.foreseen+prior == 0 {
		return 1
	}
	return (l.came + prior) / (l.foreseen + prior)
}

// day is the day of now in a zone: from midnight to midnight.
func day(now event.Time, zone *time.Location) (from, to event.Time) {
	if zone == nil {
		zone = time.UTC
	}
	y, m, d := now.Std().In(zone).Date()
	return event.TimeOf(time.Date(y, m, d, 0, 0, 0, 0, zone)), event.TimeOf(time.Date(y, m, d+1, 0, 0, 0, 0, zone))
}
