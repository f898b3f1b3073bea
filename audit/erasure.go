package audit

import (
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// Class groups kinds of events for retention.
type Class string

// The classes.
const (
	// ClassAccess: who saw or changed which part of whose record, and by which
	// consent (45 CFR 164.316(b)(2), 164.528).
	ClassAccess Class = "access"
	// ClassSecurity: log-ins, authorizations, tokens.
	ClassSecurity Class = "security"
	// ClassAdministration: accounts, clients, keys, configuration.
	ClassAdministration Class = "administration"
	// ClassAudit: the log about itself. Never erased: it says what was lawful.
	ClassAudit Class = "audit"
)

// ClassOf gives the class of a kind; a kind that is new here is kept as long
// as an access.
func ClassOf(k Kind) Class {
	room, _, _ := strings.Cut(string(k), ".")
	switch room {
	case "audit":
		return ClassAudit
	case "login", "stepup", "logout", "authorize", "launch", "token":
		return ClassSecurity
	case "client", "person", "key", "configuration", "tenant", "operator", "backup", "store":
		return ClassAdministration
	}
	return ClassAccess
}

// The details of an AuditErased event.
const (
	detailClass  = "class"
	detailBefore = "before"
	// detailKeys lists the verifier keys of the log of an erased tenant.
	detailKeys = "verifier_keys"
)

// reasonTenantErased is the reason of the event by which a log ends.
const reasonTenantErased = "tenant-keys-destroyed"

// Erasure gives the event that records that bodies of a class, older than
// before, were erased. It is written before they are.
func Erasure(tenant string, c Class, before, now time.Time) Event {
	return Event{Tenant: tenant, Time: now, Kind: AuditErased, Action: "D", Outcome: Success, Reason: "retention",
		Detail: map[string]string{detailClass: string(c), detailBefore: before.UTC().Format(time.RFC3339Nano)}}
}

// Shredding gives the event that records that the key of a patient's data is
// destroyed: the bodies of that patient's events up to then can no longer be
// opened. The patient stands as the resource, so that the event itself is not
// under that key.
func Shredding(tenant, patient string, until, now time.Time) Event {
	return Event{Tenant: tenant, Time: now, Kind: AuditErased, Action: "D", Outcome: Success, Reason: "key-destroyed",
		Resource: fhir.Reference{Type: "Patient", ID: patient},
		Detail:   map[string]string{detailBefore: until.UTC().Format(time.RFC3339Nano)}}
}

// erasure is a record of a lawful loss of bodies.
type erasure struct {
	id      string
	at      time.Time
	class   Class
	before  time.Time
	patient string
	// all covers every event of the tenant; keys are those of its log.
	all  bool
	keys []string
	used bool
}

func readErasures(events []Event) []erasure {
	var out []erasure
	for _, e := range events {
		if e.Kind != AuditErased {
			continue
		}
		r := erasure{id: e.ID, at: e.Time, class: Class(e.Detail[detailClass]), before: e.Time}
		if e.Resource.Type == "Patient" {
			r.patient = e.Resource.ID
		}
		if r.all = e.Reason == reasonTenantErased && e.Detail[detailKeys] != ""; r.all {
			r.keys = strings.Fields(e.Detail[detailKeys])
		}
		if text := e.Detail[detailBefore]; text != "" {
			before, err := time.Parse(time.RFC3339Nano, text)
			if err != nil {
				continue
			}
			r.before = before
		}
		out = append(out, r)
	}
	return out
}

// covers reports whether the record says that the body of e was erased: by
// class and age, all of a patient, or all of the tenant.
func (r *erasure) covers(e Event) bool {
	if e.Time.After(r.before) {
		return false
	}
	if r.all {
		return true
	}
	if r.patient != "" {
		return e.Patient == r.patient
	}
	return r.class == ClassOf(e.Kind) && r.class != ClassAudit
}

// Recording reports whether verification relies on what the event says: it
// records an erasure or announces keys of the log.
func Recording(e Event) bool { return e.Kind == AuditErased || announces(e) }
