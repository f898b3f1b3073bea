package audit

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Log reads the audit log. Reading it is itself access to personal data and
// is recorded before anything is given out (AU-20).
type Log struct {
	Store    Reader
	Recorder Recorder
}

// Read gives the events that f selects, newest first, and records who read
// them: by states Tenant, Time, who, capacity, network and request. Errors:
// errs.Unavailable; then nothing is given.
func (l Log) Read(ctx context.Context, f Filter, by Event) ([]Event, error) {
	f.Tenant = by.Tenant
	events, err := l.Store.Audits(ctx, f)
	if err != nil {
		return nil, err
	}
	by.Kind, by.Action, by.Outcome = AuditRead, "R", Success
	by.Patient, by.Query, by.Count = f.Patient, f.query(), len(events)
	if err := l.Recorder.Record(ctx, by); err != nil {
		return nil, err
	}
	return events, nil
}

// query writes the filter down as the query of an AuditRead event.
func (f Filter) query() string {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("patient", f.Patient)
	set("person", f.PersonID)
	set("client", f.ClientID)
	set("grant", f.GrantID)
	var kinds []string
	for _, k := range f.Kinds {
		kinds = append(kinds, string(k))
	}
	set("kind", strings.Join(kinds, ","))
	for name, t := range map[string]time.Time{"since": f.Since, "until": f.Until, "before": f.Before} {
		if !t.IsZero() {
			set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	if f.Limit > 0 {
		set("limit", strconv.Itoa(f.Limit))
	}
	return q.Encode()
}
