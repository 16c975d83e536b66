package bidder

import (
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
)

// holdFor is how long the price of a bid stays reserved, and the ad may be shown: what the exchange
// says (exp) and a minute, else what the implementation guide of OpenRTB 2.6 expects between
// auction and billing and a minute. It is part of the bid (exp), so the exchange knows.
func holdFor(q *auction.Request, m *auction.Imp) time.Duration {
	if m.Expires > 0 {
		return min(m.Expires, maxHold) + grace
	}
	switch {
	case m.Full:
		return 30*time.Minute + grace
	case q.Place.Kind == auction.App && (m.Native != nil || m.Video != nil || m.Audio != nil):
		return 10*time.Minute + grace
	case q.Place.Kind == auction.App || q.Place.Kind == auction.DOOH || m.Video != nil || m.Audio != nil:
		return 5*time.Minute + grace
	}
	return time.Minute + grace
}

// grace is added for the way of a notice.
const grace = time.Minute

// maxHold bounds what an exchange asks for: money that is held cannot be bid with.
const maxHold = 2 * time.Hour
