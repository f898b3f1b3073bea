package alert

import (
	"strconv"
	"time"
)

// missing: a minute holds fewer events than were sealed for it.
func missing(s Snapshot, _ Limits) []Alert {
	var out []Alert
	for _, t := range s.Seals {
		if t.Lost > 0 {
			out = append(out, Alert{Tenant: t.Tenant, Subject: t.Tenant, Serious: true, Detail: map[string]string{
				"missing": strconv.FormatInt(t.Lost, 10), "minute": t.LostMinute.Format(time.RFC3339)}})
		}
	}
	return out
}
