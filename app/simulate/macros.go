package simulate

import (
	"strconv"
	"strings"
)

// macros replaces OpenRTB's macros by literal text. What is not told is empty.
func macros(s *sale, b *bid, v verdict, tellMinToWin bool) *strings.Replacer {
	price, loss, least := "", "", ""
	if v.won {
		price = strconv.FormatFloat(v.paid, 'f', -1, 64)
	}
	loss = strconv.Itoa(v.reason)
	if tellMinToWin && v.minToWin > 0 {
		least = strconv.FormatFloat(v.minToWin, 'f', -1, 64)
	}
	return strings.NewReplacer(
		"${AUCTION_ID}", s.id, "${AUCTION_BID_ID}", b.response, "${AUCTION_IMP_ID}", b.ImpID, "${AUCTION_SEAT_ID}", b.seat, "${AUCTION_AD_ID}", b.AdID,
		"${AUCTION_PRICE}", price, "${AUCTION_CURRENCY}", "USD", "${AUCTION_MBR}", "", "${AUCTION_LOSS}", loss, "${AUCTION_MIN_TO_WIN}", least,
		"${AUCTION_MULTIPLIER}", "1", "${AUCTION_IMP_TS}", "",
	)
}
