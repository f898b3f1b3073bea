package explain

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/web/gateway"
)

// The decisions.
const (
	Permit = "permit"
	Deny   = "deny"
	// Undecided is for a request that may run, about a resource that nobody could
	// look at.
	Undecided = "undecided"
)

// Explanation says what decided. It holds ids, codes and scopes, and nothing else
// of a record.
type Explanation struct {
	Decision string   `json:"decision" jsonschema:"permit or deny; undecided where the resource could not be looked at."`
	Sentence string   `json:"sentence" jsonschema:"Why, for people."`
	Details  []string `json:"details" jsonschema:"What else matters, for people."`
	// Rule is empty on a permit: every rule let it pass.
	Rule    string    `json:"rule,omitempty" jsonschema:"The rule that refused; left out on a permit."`
	Code    string    `json:"code,omitempty" jsonschema:"Stable cause code of the refusal."`
	Subject string    `json:"subject,omitempty" jsonschema:"What the rule stumbled over: a scope, a parameter, a type."`
	At      time.Time `json:"at" jsonschema:"The moment for which this holds."`
	Request string    `json:"request,omitempty" jsonschema:"The request as it was understood, free text blanked."`

	Grant    string `json:"grant,omitempty"`
	Client   string `json:"client_id,omitempty"`
	Person   string `json:"person_id,omitempty"`
	Capacity string `json:"capacity,omitempty" jsonschema:"In which capacity the person or client acts."`
	Patient  string `json:"patient,omitempty" jsonschema:"Id of the patient on whose record the grant acts."`

	Relationship *Relationship `json:"relationship,omitempty" jsonschema:"By which relation a proxy acts."`
	Scopes       []string      `json:"scopes" jsonschema:"Granted scopes that speak for the request, or cover the resource."`
	Near         []string      `json:"scopes_near,omitempty" jsonschema:"Granted scopes that name the type and do not reach the resource."`
	Consents     []string      `json:"consents" jsonschema:"Versioned Consents that decided, or by which the proxy acts, and the one that records the grant."`

	Resource    string   `json:"resource,omitempty" jsonschema:"The resource that was judged, by reference."`
	Absent      bool     `json:"absent,omitempty" jsonschema:"There is no such resource, or it is one that Mandate keeps and does not show here."`
	Unjudged    string   `json:"unjudged,omitempty" jsonschema:"The resource that the request names, where no FHIR server is known to look at it."`
	Narrowed    []string `json:"narrowed,omitempty" jsonschema:"Parameters that are added to the search."`
	Filtered    bool     `json:"filtered,omitempty" jsonschema:"Each resource of the answer is decided again."`
	Obligations []string `json:"obligations,omitempty" jsonschema:"What is done with the answer."`

	Would []string `json:"would_deny,omitempty" jsonschema:"Refusals that did not count, because their rule is only audited: rule and code."`

	Event *Recorded `json:"event,omitempty" jsonschema:"What the audit log holds, for a question about an event."`

	asked string
}

// Relationship is who acts for whom.
type Relationship struct {
	Reference string `json:"reference" jsonschema:"FHIR reference of the RelatedPerson."`
	Patient   string `json:"patient"`
	InForce   bool   `json:"in_force" jsonschema:"It is active, in its period and of this patient."`
}

// explain asks the gateway and puts its answer into words.
func (s *Service) explain(ctx context.Context, b gateway.Bearer, end ended, req rest.Request) (Explanation, error) {
	out := Explanation{
		At: s.Clock.Now(), Grant: b.Grant.ID, Client: b.Client.ID, Person: b.Grant.PersonID,
		Capacity: string(b.Grant.Capacity.Kind), Patient: b.Grant.Record(), Details: []string{}, Scopes: []string{}, Consents: []string{},
	}
	if out.Client == "" {
		out.Client = b.Grant.ClientID
	}
	j, err := s.Judge.Judge(ctx, gateway.Question{Bearer: b, Request: req})
	if err != nil {
		return Explanation{}, err
	}
	out.asked = describe(req, j.Query)
	out.Request = out.asked
	out.fill(b, j)
	if end.code != "" {
		out.Decision, out.Rule, out.Code, out.Subject, out.Sentence = Deny, end.rule, end.code, "", end.sentence
		out.Details = []string{}
		return out, nil
	}
	out.say(j)
	return out, nil
}

// fill takes over what the gateway's judgement rests on.
func (out *Explanation) fill(b gateway.Bearer, j gateway.Judgement) {
	out.Decision = Deny
	if j.Allow {
		out.Decision = Permit
	}
	c := j.Input.Grant.Capacity
	out.Capacity = string(c.Kind)
	if c.IsProxy() {
		out.Relationship = &Relationship{Reference: c.Acting.String(), Patient: "Patient/" + c.Patient, InForce: j.Input.ProxyInForce}
	}
	account, d := j.RequestAccount, j.Request
	if !j.Judged.IsZero() {
		out.Resource, out.Absent = j.Judged.String(), j.Absent
		if !j.Absent {
			account, d = j.ResourceAccount, j.Resource
		}
	}
	out.Scopes = append(out.Scopes, account.Scopes...)
	out.Near = account.Near
	out.Consents = append(out.Consents, account.Consents...)
	for _, basis := range b.Grant.Basis() {
		if !slices.Contains(out.Consents, basis) && !b.Grant.Capacity.IsProxy() {
			out.Consents = append(out.Consents, basis)
		}
	}
	if !j.Unjudged.IsZero() {
		out.Unjudged = j.Unjudged.String()
		if j.Allow {
			out.Decision = Undecided
		}
	}
	out.Filtered = j.Request.Filter && j.Judged.IsZero()
	for _, n := range j.Request.Rewrite {
		for _, p := range n {
			out.Narrowed = append(out.Narrowed, p.Name+"="+strings.Join(p.Values, ","))
		}
	}
	for _, o := range d.Obligations {
		out.Obligations = append(out.Obligations, string(o))
	}
	for _, r := range j.Would {
		if text := r.Rule + ":" + r.Code; !slices.Contains(out.Would, text) {
			out.Would = append(out.Would, text)
		}
	}
	if !j.Allow {
		out.Rule, out.Code, out.Subject = j.Reason.Rule, j.Reason.Code, told(j.Reason)
	}
}

// told gives the subject of a reason, but not what it tells about the content of a
// resource: which topic, which label.
func told(r access.Reason) string {
	switch r.Rule {
	case "label", "law":
		return ""
	}
	return r.Subject
}

// methods are the methods of the interactions, as far as they are not GET.
var methods = map[rest.Interaction]string{
	rest.Create: "POST", rest.Update: "PUT", rest.Patch: "PATCH", rest.Delete: "DELETE",
	rest.ConditionalUpdate: "PUT", rest.ConditionalPatch: "PATCH", rest.ConditionalDelete: "DELETE",
}

// describe writes a request down as the audit log would hold it.
func describe(r rest.Request, query string) string {
	method := methods[r.Interaction]
	if method == "" {
		method = "GET"
	}
	var path []string
	if !r.Compartment.IsZero() {
		path = append(path, r.Compartment.Type, r.Compartment.ID)
	}
	for _, part := range []string{r.Type, r.ID} {
		if part != "" {
			path = append(path, part)
		}
	}
	switch {
	case r.Version != "":
		path = append(path, "_history", r.Version)
	case r.Interaction == rest.HistoryInstance || r.Interaction == rest.HistoryType || r.Interaction == rest.HistorySystem:
		path = append(path, "_history")
	case r.Operation != "":
		path = append(path, "$"+r.Operation)
	}
	out := method + " /" + strings.Join(path, "/")
	if query != "" {
		out += "?" + query
	}
	return out
}
