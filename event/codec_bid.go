package event

// AppendJSON appends b as one line of JSON, without a newline.
func (b *BidStep) AppendJSON(dst []byte) []byte {
	l := newLine(dst)
	l.Text("step", b.Step)
	l.OptionalText("bid", b.Bid)
	l.OptionalText("campaign", b.Campaign)
	l.OptionalText("bidder", b.Bidder)
	l.time("time", b.Time)
	l.OptionalInteger("epoch", b.Epoch)
	l.OptionalInteger("seq", b.Seq)
	l.OptionalInteger("reserved", b.Reserved)
	l.OptionalInteger("spent", b.Spent)
	l.OptionalText("day", b.Day)
	l.OptionalText("request", b.Request)
	l.OptionalText("imp", b.Imp)
	l.OptionalText("ad", b.Ad)
	l.OptionalText("advertiser", b.Advertiser)
	l.OptionalText("deal", b.Deal)
	l.OptionalText("user", b.User)
	l.OptionalInteger("price", b.Price)
	l.OptionalInteger("value", b.Value)
	l.OptionalInteger("floor", b.Floor)
	l.OptionalNumber("p_win", b.PWin)
	l.Flag("first_price", b.FirstPrice)
	l.time("expires", b.Expires)
	l.optionalFacts("market", b.Market)
	l.OptionalInteger("cap_ms", b.CapMs)
	l.OptionalInteger("paid", b.Paid)
	l.OptionalInteger("min_to_win", b.MinToWin)
	l.OptionalInteger("reason", b.Reason)
	l.Flag("late", b.Late)
	l.OptionalInteger("uncovered", b.Uncovered)
	l.Flag("overcap", b.Overcap)
	l.OptionalInteger("allowance", b.Allowance)
	l.OptionalInteger("budget_total", b.BudgetTotal)
	l.OptionalInteger("budget_daily", b.BudgetDaily)
	l.OptionalInteger("spent_total", b.SpentTotal)
	l.optionalFacts("spent_days", b.SpentDays)
	return l.End()
}

// MarshalJSON is AppendJSON, for encoding/json.
func (b *BidStep) MarshalJSON() ([]byte, error) { return b.AppendJSON(nil), nil }

// ParseBidStep reads what AppendJSON writes. A step must have its name, a time, and an epoch.
func ParseBidStep(text []byte) (BidStep, error) {
	var b BidStep
	err := b.UnmarshalJSON(text)
	return b, err
}

// UnmarshalJSON is ParseBidStep into b. The slices of b are used again, so nothing that b held
// before may still be in use.
func (b *BidStep) UnmarshalJSON(text []byte) error {
	r := acquire(text, DefaultLimits)
	defer r.release()
	*b = BidStep{Market: b.Market[:0], SpentDays: b.SpentDays[:0]}
	b.read(r)
	r.need("step", b.Step != "")
	r.need("time", b.Time != 0)
	r.need("epoch", b.Epoch != 0)
	return r.End()
}

func (b *BidStep) read(r *Reader) {
	for r.message(); r.Key(); {
		switch r.Name() {
		case "step":
			b.Step = r.Text()
		case "bid":
			b.Bid = r.Text()
		case "campaign":
			b.Campaign = r.Text()
		case "bidder":
			b.Bidder = r.Text()
		case "time":
			b.Time = r.Time()
		case "epoch":
			b.Epoch = r.Integer()
		case "seq":
			b.Seq = r.Integer()
		case "reserved":
			b.Reserved = r.Integer()
		case "spent":
			b.Spent = r.Integer()
		case "day":
			b.Day = r.Text()
		case "request":
			b.Request = r.Text()
		case "imp":
			b.Imp = r.Text()
		case "ad":
			b.Ad = r.Text()
		case "advertiser":
			b.Advertiser = r.Text()
		case "deal":
			b.Deal = r.Text()
		case "user":
			b.User = r.Text()
		case "price":
			b.Price = r.Integer()
		case "value":
			b.Value = r.Integer()
		case "floor":
			b.Floor = r.Integer()
		case "p_win":
			b.PWin = r.Number()
		case "first_price":
			b.FirstPrice = r.Bool()
		case "expires":
			b.Expires = r.Time()
		case "market":
			b.Market = r.Fields(b.Market)
		case "cap_ms":
			b.CapMs = r.Integer()
		case "paid":
			b.Paid = r.Integer()
		case "min_to_win":
			b.MinToWin = r.Integer()
		case "reason":
			b.Reason = r.Integer()
		case "late":
			b.Late = r.Bool()
		case "uncovered":
			b.Uncovered = r.Integer()
		case "overcap":
			b.Overcap = r.Bool()
		case "allowance":
			b.Allowance = r.Integer()
		case "budget_total":
			b.BudgetTotal = r.Integer()
		case "budget_daily":
			b.BudgetDaily = r.Integer()
		case "spent_total":
			b.SpentTotal = r.Integer()
		case "spent_days":
			b.SpentDays = r.Fields(b.SpentDays)
		default:
			r.Skip()
		}
	}
}
