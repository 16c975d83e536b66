package auction

import "math"

// Micros is money: millionths of the account's currency. Prices of impressions are Micros, too: a
// CPM of 1.00 is 1,000 Micros an impression.
type Micros int64

// OfCPM is the price of one impression at a price for a thousand, rounded down, so that a bid never
// exceeds what it is worth.
func OfCPM(cpm float64) Micros { return Micros(math.Floor(cpm*1000 + 1e-6)) }

// CPM is the price of a thousand impressions, in the currency's unit.
func (m Micros) CPM() float64 { return float64(m) / 1000 }

// OfUnits is an amount in the currency's unit, rounded to the nearest millionth.
func OfUnits(amount float64) Micros { return Micros(math.Round(amount * 1e6)) }

// Units is the amount in the currency's unit.
func (m Micros) Units() float64 { return float64(m) / 1e6 }
