package event

// BidStep is one step of a bid's life, or of the ledger's (topic bids, key: Campaign, or Bidder
// where there is none). The steps in the order of Epoch and Seq are the ledger: whoever adds them
// up knows what each campaign has spent and reserved.
//
// A step may stand on the topic twice, with the same Epoch and Seq: it counts once. A step of a
// lower epoch behind the step epoch of a higher one is void: it never happened. Readers pass over
// steps that they do not know.
type BidStep struct {
	Step     string // one of the constants below
	Bid      string // the bid's id, which is that of its prediction; empty in steps of the ledger
	Campaign string // empty in the steps epoch and leave
	Bidder   string // the process that wrote the step
	Time     Time
	// place in the order of the ledger: Seq rises by one with each step of an Epoch, and an Epoch
	// begins when the ledger was made again from this topic. A step bid with Seq 0 changes nothing:
	// it tells of a bid that was billed or lost before its bidder could bring it into the epoch
	Epoch, Seq int64
	// micros of the account's currency that the step adds to what is reserved and to what is spent
	Reserved, Spent int64
	Day             string // of the budget to which they count, such as 2026-11-29: that of the bid

	// of the step bid
	Request    string // the exchange's id of the auction
	Imp        string
	Ad         string
	Advertiser string
	Deal       string
	User       string // by which caps count; empty where the request does not allow it
	Price      int64  // micros an impression
	Value      int64  // what an impression is worth to the campaign, in micros
	Floor      int64
	PWin       float64 // as the model of win rates has it; 0: it was not asked
	FirstPrice bool
	Expires    Time   // when the reservation ends
	Market     Fields // what the model of win rates knows of the auction

	// of the steps bid and bill: the longest window of the campaign's caps in milliseconds. 0: the
	// impression counts to none
	CapMs int64

	// of the steps win, bill and loss
	Paid     int64 // micros an impression, as the notice has it; 0: it has none
	MinToWin int64 // the least price that would have won, in micros; 0: it was not told
	Reason   int64 // of a loss, by OpenRTB's list
	Late     bool  // the reservation had ended
	// micros of a late bill for which the budget had no room: owed, and not in Spent
	Uncovered int64
	Overcap   bool // a late bill for which a cap had no room: it was shown, and counts against bids

	// of the step allow: the most micros of bids that Bidder may have reserved without their steps
	// on the topic, until Expires; and the campaign's budgets, 0 for none
	Allowance                int64
	BudgetTotal, BudgetDaily int64
	// of the step sum: what the campaign has spent after all steps before, in total and by day
	SpentTotal int64
	SpentDays  Fields
}

// Steps of a bid.
const (
	StepBid    = "bid"    // the price is reserved
	StepWin    = "win"    // the auction was won; the money stays reserved
	StepBill   = "bill"   // the price is spent
	StepLoss   = "loss"   // the reservation is released
	StepExpire = "expire" // the same, since no notice came in time

	// of the ledger itself
	StepEpoch = "epoch" // Bidder makes the ledger again from the steps before; Epoch begins
	StepAllow = "allow" // Bidder may have bids that are not on the topic yet
	StepLeave = "leave" // all bids of Bidder are on the topic
	StepSum   = "sum"   // what Campaign has spent, for readers that do not begin at the start
)
