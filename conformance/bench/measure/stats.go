package measure

import (
	"math"
	"slices"
	"time"
)

// Percentile gives the smallest value that p percent of the values do not
// exceed (nearest rank), 0 for no values. It sorts them in place. p is above 0
// and at most 100.
func Percentile(values []time.Duration, p float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	rank := int(math.Ceil(p / 100 * float64(len(values))))
	return values[min(max(rank, 1), len(values))-1]
}

// Ratio gives a ÷ b, and NaN where b is nothing to compare with.
func Ratio(a, b float64) float64 {
	if b <= 0 {
		return math.NaN()
	}
	return a / b
}

// Per gives total per request, and NaN without requests.
func Per(total float64, ops int) float64 { return Ratio(total, float64(ops)) }
