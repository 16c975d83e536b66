package event

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/internal/strictjson"
)

// durationPart is a number and its unit.
var durationPart = regexp.MustCompile(`^(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w)`)

var durationUnits = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond, "μs": time.Microsecond, "ms": time.Millisecond,
	"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

// longest is the largest duration in nanoseconds, a little below the bound of time.Duration.
const longest = 9.2e18

// ParseDuration reads numbers with units, such as 500ms, 30m, 1h30m, 7d or 2w. Every duration in
// the configuration, in recordings and in flags has this form. A day has 24 hours. The text of the
// error goes on from the name of a setting: `is "30", which has no unit: ...`.
func ParseDuration(text string) (time.Duration, error) {
	rest, negative := strings.CutPrefix(text, "-")
	if rest == "0" {
		return 0, nil
	}
	if _, err := strconv.ParseFloat(rest, 64); err == nil {
		return 0, fmt.Errorf("is %s, which has no unit: write %ss for seconds, or a number with ms, s, m, h, d or w", strictjson.Quote(text), text)
	}
	if rest == "" {
		return 0, fmt.Errorf("is empty, want a duration such as 30s, 1h30m or 7d")
	}
	sum := 0.0
	var whole time.Duration
	for rest != "" {
		part := durationPart.FindStringSubmatch(rest)
		if part == nil {
			return 0, fmt.Errorf("is %s, want numbers with ms, s, m, h, d or w, such as 30s, 1h30m or 7d", strictjson.Quote(text))
		}
		rest = rest[len(part[0]):]
		unit := durationUnits[part[2]]
		n, err := strconv.ParseFloat(part[1], 64)
		if sum += n * float64(unit); err != nil || sum > longest {
			return 0, fmt.Errorf("is %s, which is too long, want at most 15000w", strictjson.Quote(text))
		}
		if i, err := strconv.ParseInt(part[1], 10, 64); err == nil {
			whole += time.Duration(i) * unit // exact, where a float64 is not
		} else {
			whole += time.Duration(math.Round(n * float64(unit)))
		}
	}
	if negative {
		whole = -whole
	}
	return whole, nil
}
