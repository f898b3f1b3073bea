package access

import (
	"slices"
	"strings"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
)

// Account names what a decision rests on. It holds scopes, references and codes
// only: nothing of a resource but its type and id.
type Account struct {
	// Scopes are the granted scopes that speak for the request, or that cover
	// the resource. Near are those that name the type and the operation and do
	// not reach this resource.
	Scopes, Near []string
	// Consents are the versioned Consents by which a proxy acts or was stopped,
	// "Consent/id/_history/n"; empty for those who are not judged by consents.
	Consents []string
}

// Explain gives the account of a decision that Decide made of the same input. It
// decides nothing and is not for the path of a request: it allocates.
func Explain(in Input, d Decision) Account {
	var a Account
	if in.Resource != nil {
		in.Resource, _ = in.labelled(in.Resource)
		a.Scopes, a.Near = in.scopesOfResource()
	} else if in.Request != nil {
		a.Scopes = in.scopesOfRequest()
	}
	a.Consents = in.consentsBehind(d)
	return a
}

// scopesOfRequest lists the scopes by which the request is allowed to run. An
// operation draws on every scope to read.
func (in *Input) scopesOfRequest() []string {
	r, typ := in.Request, in.Request.Type
	ops, ok := need(r)
	if r.Interaction == rest.Operation {
		ops, ok = reads, true
		if r.Operation == operationEverything || typ == "" {
			typ = rest.AnyType
		}
	}
	var out []string
	if !ok {
		return out
	}
	for _, level := range in.Grant.levels() {
		for _, s := range in.Grant.Scopes {
			if s.Level != level || s.Ops&ops == 0 || typ != rest.AnyType && s.Type != scope.AnyType && s.Type != typ {
				continue
			}
			out = append(out, s.String())
		}
	}
	return out
}

// scopesOfResource parts the scopes that name type and operation by whether they
// reach the resource.
func (in *Input) scopesOfResource() (reach, near []string) {
	for _, level := range in.Grant.levels() {
		for _, s := range in.Grant.Scopes.For(level, in.Resource.Type, in.Op) {
			if s.Matches(in.Resource) && in.levelReaches(level, in.Resource) {
				reach = append(reach, s.String())
			} else {
				near = append(near, s.String())
			}
		}
	}
	return reach, near
}

// consentsBehind lists the Consents that decided, or by which the proxy acts now.
func (in *Input) consentsBehind(d Decision) []string {
	c := in.Grant.Capacity
	if !c.IsProxy() || in.Policy == nil {
		return nil
	}
	out := slices.Clone(d.Consents)
	for _, r := range d.Reasons {
		if id, stopped := strings.CutPrefix(r.Code, consent.ReasonProhibited); stopped {
			out = append(out, in.Policy.Versions(id)...)
		}
	}
	if len(out) == 0 {
		out = append(out, consent.GrantableFor(in.Policy, []fhir.Reference{c.Acting}, c.Purpose, in.Now).Consents...)
	}
	return out
}
