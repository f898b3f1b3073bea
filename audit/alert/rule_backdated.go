package alert

import (
	"strconv"
	"time"
)

// backdatedFor is how long an alert about backdated events stands.
const backdatedFor = time.Hour

// backdated: events came into the log long after the time that they bear.
// Sealed they verify, so that only this tells of a forged one.
func backdated(s Snapshot, _ Limits) []Alert {
	var out []Alert
	for _, t := range s.Seals {
		if t.Backdated > 0 && s.Now.Sub(t.BackdatedAt) < backdatedFor {
			out = append(out, Alert{Tenant: t.Tenant, Subject: t.Tenant, Serious: true, Detail: map[string]string{
				"backdated": strconv.FormatInt(t.Backdated, 10), "sealed": t.BackdatedAt.Format(time.RFC3339)}})
		}
	}
	return out
}
