// Package price says what to bid: what an impression is worth by a campaign's strategy, what to
// offer for it where the winner pays its own price, and in how many auctions to take part so that a
// budget lasts as long as it should.
package price

import (
	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
)

// Quote is what is known of an auction before the offer.
type Quote struct {
	Value      auction.Micros // what an impression is worth: no offer is above it
	Floor      auction.Micros // no offer is below it
	FirstPrice bool           // the winner pays its own price
	// Market is what the model of win rates may know: place, format, size, device, country, hour,
	// deal. Nothing of the user. Of more than 16 values the first count.
	Market event.Fields
	// Draw is uniform in [0, 1), made from the bid's id: by it prices are varied, so that the same
	// bid has the same price, and its price depends on nothing that decides the auction.
	Draw float64
}

// Offer is the price of a bid.
type Offer struct {
	Price auction.Micros // 0: there is no price that is worth it
	PWin  float64        // probability that it wins; 0: not asked
}
