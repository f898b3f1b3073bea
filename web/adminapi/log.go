package adminapi

import (
	"context"
	"encoding/json"
	"reflect"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/web/adminapi/call"
	"github.com/mandate-health/mandate/web/route"
)

func (a *API) logRoutes() []route.Route {
	return []route.Route{
		call.On(a.Desk, call.Spec{
			Method: "GET", Path: "/admin/audit", ID: "readAudit", Owner: owner, PHI: route.Identifiers,
			Summary: "Gives up to 1,000 events of the audit log, newest first. The look is recorded.",
			Headers: map[string]string{headerAsOf: "Time up to when the events are complete: a replica may be a little behind."},
		}, a.audit),
		call.On(a.Desk, call.Spec{
			Method: "GET", Path: "/admin/audit/checkpoint", ID: "showAuditCheckpoint", Owner: owner, PHI: route.NoPHI,
			Summary: "Gives the newest signed checkpoint of the log, for witnesses.",
		}, a.checkpoint),
		call.On(a.Desk, call.Spec{
			Method: "GET", Path: "/admin/audit/consistency", ID: "proveAuditConsistency", Owner: owner, PHI: route.NoPHI,
			Summary: "Proves that the log only grew between two sizes (RFC 6962 §2.1.2).",
		}, a.consistency),
		call.On(a.Desk, call.Spec{
			Method: "GET", Path: "/admin/audit/{id}/proof", ID: "proveAuditEvent", Owner: owner, PHI: route.Identifiers,
			Summary: "Proves that an event stands in the log. The look is recorded.",
		}, a.proof),
	}
}

const (
	headerAsOf = "Mandate-As-Of"
	// auditLimit is the greatest number of events one answer holds.
	auditLimit = 1000
	formatFHIR = "fhir"
)

type auditQuery struct {
	Patient string    `json:"patient,omitempty" jsonschema:"Id of the patient whose record was touched."`
	Grant   string    `json:"grant,omitempty" jsonschema:"Id of the grant."`
	Person  string    `json:"person,omitempty" jsonschema:"Id of the account that acted."`
	Client  string    `json:"client_id,omitempty" jsonschema:"The client."`
	Kind    []string  `json:"kind,omitempty" jsonschema:"Kind of event such as grant.revoked; may be repeated."`
	Before  time.Time `json:"before,omitzero" jsonschema:"Only events before this moment: the time of the last one goes on behind it."`
	Limit   int64     `json:"limit,omitempty" jsonschema:"How many at most; 1000 when left out, and never more."`
	Format  string    `json:"format,omitempty" jsonschema:"fhir gives FHIR R4 AuditEvents in place of the events as they are stored."`
}

// entry is an event as it is stored, or a FHIR AuditEvent.
type entry struct{ value any }

// MarshalJSON gives the event in its form.
func (e entry) MarshalJSON() ([]byte, error) { return json.Marshal(e.value) }

// Alternatives lists the forms.
func (entry) Alternatives() []reflect.Type {
	return []reflect.Type{reflect.TypeFor[audit.Event](), reflect.TypeFor[call.Resource]()}
}

type auditList struct {
	Events []entry `json:"events"`
}

// audit gives events as they are stored, or as FHIR R4 AuditEvents (AR-08).
func (a *API) audit(ctx context.Context, in *call.In[auditQuery, route.Empty]) (auditList, error) {
	// Asked before the log is read, which then has at least as much.
	at, err := a.AsOf(ctx)
	if err != nil {
		return auditList{}, err
	}
	in.Out.Set(headerAsOf, at.UTC().Format(time.RFC3339Nano))
	q := in.Query
	filter := audit.Filter{Patient: q.Patient, GrantID: q.Grant, PersonID: q.Person, ClientID: q.Client, Before: q.Before, Limit: auditLimit}
	if q.Limit > 0 {
		filter.Limit = int(min(q.Limit, auditLimit))
	}
	for _, kind := range q.Kind {
		filter.Kinds = append(filter.Kinds, audit.Kind(kind))
	}
	events, err := audit.Log{Store: a.Audits, Recorder: a.Recorder}.Read(ctx, filter, in.By)
	if err != nil {
		return auditList{}, err
	}
	out := auditList{Events: make([]entry, len(events))}
	for i, e := range events {
		out.Events[i].value = whole(e)
		if q.Format != formatFHIR {
			continue
		}
		raw, err := fhirevent.Map(e, a.Names)
		if err != nil {
			return auditList{}, err
		}
		out.Events[i].value = call.Resource(raw)
	}
	return out, nil
}

// whole puts empty lists where an event has none.
func whole(e audit.Event) audit.Event {
	if e.Delivered == nil {
		e.Delivered = []string{}
	}
	if e.Consents == nil {
		e.Consents = []string{}
	}
	if e.Detail == nil {
		e.Detail = map[string]string{}
	}
	return e
}

type checkpoint struct {
	Checkpoint  string         `json:"checkpoint" jsonschema:"Signed note of the tree."`
	Size        int64          `json:"size"`
	VerifierKey string         `json:"verifier_key"`
	Keys        []audit.LogKey `json:"keys"`
}

// checkpoint gives the newest signed checkpoint, the key that verifies it and
// those before and after it, for witnesses.
func (a *API) checkpoint(ctx context.Context, _ *call.In[route.Empty, route.Empty]) (checkpoint, error) {
	head, err := a.Ledger.LedgerHead(ctx, a.Tenant)
	if err != nil {
		return checkpoint{}, err
	}
	keys, err := a.KeysOfLog(ctx)
	if err != nil {
		return checkpoint{}, err
	}
	return checkpoint{string(head.Checkpoint), head.Size, keys.VerifierKey, keys.Generations()}, nil
}

type sizes struct {
	Old int64 `json:"old" jsonschema:"Number of leaves of the older tree."`
	New int64 `json:"new,omitempty" jsonschema:"Number of leaves of the newer tree; left out: all."`
}

// consistency proves that the log only grew.
func (a *API) consistency(ctx context.Context, in *call.In[sizes, route.Empty]) (*audit.Consistency, error) {
	return audit.ProveConsistency(ctx, a.Ledger, a.Tenant, in.Query.Old, in.Query.New)
}

// proof proves that an event stands in the log. What is given out is recorded
// as a look at the log (AU-20).
func (a *API) proof(ctx context.Context, in *call.In[route.Empty, route.Empty]) (*audit.Inclusion, error) {
	keys, err := a.KeysOfLog(ctx)
	if err != nil {
		return nil, err
	}
	p, err := audit.Prove(ctx, a.Ledger, keys, in.ID)
	if err != nil {
		return nil, err
	}
	e := in.By
	e.Kind, e.Action, e.Outcome, e.Query, e.Count = audit.AuditRead, "R", audit.Success, "proof="+p.ID, 1
	return p, a.Recorder.Record(ctx, e)
}
