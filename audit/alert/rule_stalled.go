package alert

import (
	"strconv"
	"time"
)

// stalled: sealed events wait for the syslog receiver.
func stalled(s Snapshot, l Limits) []Alert {
	if s.Stream == nil || s.Stream.Since.IsZero() || s.Now.Sub(s.Stream.Since) <= l.Backlog {
		return nil
	}
	return []Alert{{Subject: s.Stream.Address, Detail: map[string]string{
		"waiting": strconv.FormatInt(s.Stream.Waiting, 10), "since": s.Stream.Since.Format(time.RFC3339), "cause": s.Stream.Failure}}}
}
