package alert

import (
	"time"
)

// skewed: a node's clock differs from the database's, or from that of the node
// that is farthest away.
func skewed(s Snapshot, l Limits) []Alert {
	var living []Beat
	for _, b := range s.Beats {
		if b.Ago <= l.Silence {
			living = append(living, b)
		}
	}
	var out []Alert
	for _, b := range living {
		worst := b.Skew
		for _, other := range living {
			if d := b.Skew - other.Skew; d.Abs() > worst.Abs() && b.Skew.Abs() >= other.Skew.Abs() {
				worst = d
			}
		}
		if worst.Abs() > l.Skew {
			out = append(out, Alert{Subject: b.Node, Serious: worst.Abs() > time.Minute,
				Detail: map[string]string{"skew": worst.Round(time.Millisecond).String()}})
		}
	}
	return out
}
