package alert

import "time"

// backlog: events stay unsealed, or the sealer does not get through.
func backlog(s Snapshot, l Limits) []Alert {
	var out []Alert
	for _, t := range s.Seals {
		since := t.Oldest
		if since.IsZero() || t.Passed.Before(since) {
			since = t.Passed
		}
		if s.Now.Sub(since) > l.Backlog {
			out = append(out, Alert{Tenant: t.Tenant, Subject: t.Tenant, Serious: true,
				Detail: map[string]string{"unsealed_since": since.Format(time.RFC3339)}})
		}
	}
	return out
}
