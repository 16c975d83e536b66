package features

import (
	"math"

	"github.com/clickloop/clickloop/event"
)

// sumKind is sum: the total of a value over the events that have it, as a number or as text that is
// a number ("12.54").
var sumKind = &kind{
	name: "sum", value: true, halfLife: true,
	compile: func(d *declaration) (aggregate, *Error) {
		return &sum{d.counter(d.Event, d.Event+"+"+d.Value, addAmount)}, nil
	},
}

type sum struct{ amounts *counter }

func (s *sum) value(r *reading) event.Value { return number(r.total(s.amounts) / micro) }

// micro is the unit of sums in profiles: whole millionths add up alike in every order.
const micro = 1e6

// addAmount completes an Op that sums values.
func addAmount(op *Op, v event.Value, _ event.Time) bool {
	amount, ok := v.Amount()
	if ok {
		op.Add, ok = toMicro(amount)
	}
	return ok && op.Add != 0
}

// toMicro rounds x to millionths; false when x is no number. Amounts beyond event.MaxValue count as
// that much.
func toMicro(x float64) (int64, bool) {
	if math.IsNaN(x) {
		return 0, false
	}
	x = min(max(x, -event.MaxValue), event.MaxValue)
	return int64(math.Round(x * micro)), true
}
