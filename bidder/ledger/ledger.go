// Package ledger keeps what campaigns have spent and reserved, and how often users have seen them,
// so that no budget and no cap is ever exceeded: not by many bidders at once, not by notices that
// come twice, late or never, and not by processes or a Redis that are killed.
//
// The numbers are in Redis, and change by Lua scripts, each as a whole. Every change is a step on
// the topic bids (event.BidStep), from which the numbers are made again when Redis has lost them.
package ledger

import (
	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
)

// Claim asks to reserve the price of one bid.
type Claim struct {
	Campaign *campaign.Campaign // its Budget and Caps bound the claim
	// Step is the bid's. Its Bid, Price, User and Expires are what is reserved; the ledger sets
	// Step, Epoch, Seq, Reserved and Spent.
	Step event.BidStep
}

// Verdict is what becomes of a claim.
type Verdict uint8

const (
	Refused     Verdict = iota // of no bid: an earlier claim of its imp was taken
	Reserved                   // the bid may be made
	Repeated                   // the bid was reserved before: it must not be made again with another price
	NoBudget                   // the total budget has no room for it
	NoDaily                    // the day's budget has none
	Capped                     // the user has seen the campaign as often as the caps allow
	Unavailable                // the ledger does not answer in time, or is being made again
)

// Notice tells what became of a bid.
type Notice struct {
	Step     string // event.StepWin, StepBill or StepLoss
	Bid      string
	Campaign string
	// Reserved is the price of the bid, as its signed token has it: for a bid whose reservation has
	// ended.
	Reserved auction.Micros
	Paid     auction.Micros // 0: not told; the bid's price is taken
	MinToWin auction.Micros // 0: not told
	Reason   int64
	Time     event.Time
}

// Result is what a notice changed.
type Result struct {
	Repeated  bool   // the step was taken before: nothing changed
	Late      bool   // the reservation had ended
	User      string // of the bid, while it is known
	Uncovered auction.Micros
}

// Standing is a campaign's numbers.
type Standing struct {
	Spent, Reserved           auction.Micros
	SpentToday, ReservedToday auction.Micros // in the budget's zone
	Day                       string         // the day of these, such as 2026-11-29
	At                        event.Time     // when they were read
}
