package alert

import "strings"

// unreadable: events cannot be sealed because their body does not open.
func unreadable(s Snapshot, _ Limits) []Alert {
	var out []Alert
	for _, t := range s.Seals {
		if len(t.Unreadable) > 0 {
			out = append(out, Alert{Tenant: t.Tenant, Subject: t.Tenant, Serious: true,
				Detail: map[string]string{"events": strings.Join(t.Unreadable, " ")}})
		}
	}
	return out
}
