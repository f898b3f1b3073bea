package alert

import "time"

// silent: a node has said nothing for too long and did not say good-bye.
func silent(s Snapshot, l Limits) []Alert {
	var out []Alert
	for _, b := range s.Beats {
		if b.Ago > l.Silence {
			out = append(out, Alert{Subject: b.Node, Detail: map[string]string{"heard": b.At.Format(time.RFC3339)}})
		}
	}
	return out
}
