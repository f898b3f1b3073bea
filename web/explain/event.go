package explain

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/gateway"
)

// Recorded is what the audit log holds of a request.
type Recorded struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"`
	Outcome  string    `json:"outcome" jsonschema:"permit or deny."`
	Rule     string    `json:"rule,omitempty" jsonschema:"The rule that refused then."`
	Code     string    `json:"code,omitempty" jsonschema:"Cause code of then."`
	Sentence string    `json:"sentence,omitempty" jsonschema:"Why it was refused then, for people."`
	// Scopes is empty for what was recorded before scopes were.
	Scopes    []string `json:"scopes" jsonschema:"Scopes that permitted it then, at most four; empty for a refusal, and for events of older versions."`
	Consents  []string `json:"consents" jsonschema:"Versioned Consents under which it took place."`
	Capacity  string   `json:"capacity,omitempty" jsonschema:"In which capacity the person or client acted then."`
	Acting    string   `json:"acting,omitempty" jsonschema:"Who acted for the patient then: the FHIR reference of the RelatedPerson."`
	Patient   string   `json:"patient,omitempty" jsonschema:"For whom they acted then."`
	Relation  string   `json:"relation,omitempty" jsonschema:"Code of the relationship by which they acted then."`
	Purpose   string   `json:"purpose,omitempty" jsonschema:"Purpose of use then (v3-ActReason)."`
	Delivered int      `json:"delivered" jsonschema:"How many resources left in the answer."`
	// Same says that the same request would have the same end now.
	Same bool `json:"same_now" jsonschema:"The same request would be decided alike now."`
	// Gone is what it rested on then and does not now.
	Gone []string `json:"gone" jsonschema:"Scopes and Consents that permitted it then and are not among those that speak for it now."`
}

// DetailRule is the name under which the event of a refused request says which
// rule refused it.
const DetailRule = gateway.DetailRule

// event explains an event: what was recorded, and how the same request is decided
// now. Errors: errs.NotFound; errs.Invalid for an event of another kind.
func (s *Service) event(ctx context.Context, id string) (Explanation, error) {
	e, err := s.stored(ctx, id)
	if err != nil {
		return Explanation{}, err
	}
	req, ok := RequestOf(e)
	if !ok {
		return Explanation{}, errs.New(errs.Invalid, "explain-event",
			"The event "+id+" is no request for a record (it is "+string(e.Kind)+"): there is no decision of the gateway to explain.")
	}
	q := Question{Grant: e.GrantID}
	if e.GrantID == "" {
		q.Client = e.ClientID
	}
	b, end, err := s.bearer(ctx, q)
	if err != nil {
		return Explanation{}, err
	}
	out, err := s.explain(ctx, b, end, req)
	if err != nil {
		return Explanation{}, err
	}
	rec := recorded(e)
	rec.Same = rec.Outcome == out.Decision
	standing := out.Consents
	if end.code == "" {
		// The Consent that records the grant ends with it.
		standing = slices.Concat(standing, b.Grant.Basis()[len(b.Grant.Consents):])
	}
	rec.Gone = gone(rec, out.Scopes, standing)
	out.Event = &rec
	return out, nil
}

func (s *Service) stored(ctx context.Context, id string) (audit.Event, error) {
	found, err := s.Read.StoredAudits(ctx, s.Tenant, []string{id})
	if err != nil {
		return audit.Event{}, err
	}
	if len(found) == 0 || found[0].State == audit.Garbled {
		return audit.Event{}, errs.New(errs.NotFound, "event-unknown", "There is no such event in the audit log.")
	}
	if found[0].State != audit.Whole {
		return audit.Event{}, errs.New(errs.Gone, "event-erased", "The event was erased, or its key destroyed: nothing of it can be read any more.")
	}
	return found[0].Event, nil
}

func recorded(e audit.Event) Recorded {
	rec := Recorded{
		ID: e.ID, Time: e.Time, Kind: string(e.Kind), Outcome: Permit, Scopes: append([]string{}, strings.Fields(e.Detail[gateway.DetailScopes])...),
		Consents: append([]string{}, e.Consents...), Delivered: e.Count, Capacity: string(e.Capacity.Kind), Purpose: e.Capacity.Purpose, Gone: []string{},
	}
	if e.Capacity.IsProxy() {
		rec.Acting, rec.Patient, rec.Relation = e.Capacity.Acting.String(), "Patient/"+e.Capacity.Patient, e.Capacity.Relationship
	}
	if e.Outcome != audit.Success {
		rec.Outcome, rec.Rule, rec.Code = Deny, e.Detail[DetailRule], e.Reason
		rec.Sentence = sentence(rec.Rule, rec.Code, e.Resource.Type)
	}
	return rec
}

// gone lists what permitted a request then and speaks for it no more.
func gone(rec Recorded, scopes, consents []string) []string {
	out := []string{}
	if rec.Outcome != Permit {
		return out
	}
	for _, s := range rec.Scopes {
		if strings.Contains(s, "/") && !slices.Contains(scopes, s) {
			out = append(out, s)
		}
	}
	for _, c := range rec.Consents {
		if !slices.Contains(consents, c) {
			out = append(out, c)
		}
	}
	return out
}

// RequestOf gives the request of an event as far as the log holds it: texts that
// the log blanks stay blank, which no rule looks at. ok is false for an event
// that is no request for a record.
func RequestOf(e audit.Event) (r rest.Request, ok bool) {
	if e.Resource.Type == "" {
		return r, false
	}
	r = rest.Request{Type: e.Resource.Type, ID: e.Resource.ID}
	switch {
	case e.Kind == audit.FHIRSearch, e.Kind == audit.FHIRRefused && e.Action == "E" && r.ID == "":
		r.Interaction, r.Query = rest.SearchType, queryOf(e)
	case e.Kind == audit.FHIRRead, e.Kind == audit.FHIRRefused && e.Action == "R":
		r.Interaction = rest.Read
	case e.Kind == audit.FHIRWrite || e.Kind == audit.FHIRRefused:
		r.Interaction = map[string]rest.Interaction{"C": rest.Create, "U": rest.Update, "D": rest.Delete}[e.Action]
		if e.Action == "C" {
			r.ID = ""
		}
	}
	return r, r.Interaction != "" && (r.ID != "" || r.Interaction == rest.SearchType || r.Interaction == rest.Create)
}

// queryOf reads a recorded search; one that cannot be read has no parameters.
func queryOf(e audit.Event) []rest.Param {
	r, err := rest.Parse(rest.Incoming{Method: http.MethodGet, Path: "/" + e.Resource.Type, RawQuery: e.Query, Header: http.Header{}})
	if err != nil {
		return nil
	}
	return r.Query
}
