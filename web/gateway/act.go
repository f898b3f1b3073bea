package gateway

import (
	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// act is one interaction: a request, or one entry of a batch.
type act struct {
	x   *exchange
	req rest.Request
	// made and version are the resource written and the version read or
	// written, subjects whom a write is about, for the audit log.
	made     fhir.Reference
	version  string
	subjects []string
	// wrote is what the upstream did of a write, a v3-DataOperation.
	wrote string
	// attached is what the stored state of the resource points to.
	attached  []fhir.Reference
	delivered []delivery
	// notices must accompany the answer.
	notices  redisclosure
	consents []string
	scales   *scales
	// lone says that nothing is judged by what was judged before.
	lone bool
	// reason is why it was refused, most decisive first.
	reason access.Reason
	// unproven is why a resource was left out that a better log-in would show.
	unproven error
	// ignored are the names of search parameters that nobody knows.
	ignored []string
	// would lists what rules that are only audited would have refused.
	would []string
	drew  drew
}

// delivery is one resource that leaves in the answer.
type delivery struct {
	ref      fhir.Reference
	patients []string
}

// serve answers one interaction and records it: without a durable event
// nothing leaves (D8).
func (x *exchange) serve(req rest.Request) (answer, error) {
	if req.Interaction == rest.Batch || req.Interaction == rest.Transaction {
		return x.bundle(req)
	}
	plain, misread := fhirapi.Plain(req)
	a := &act{x: x, req: plain}
	ans, err := answer{}, misread
	if misread == nil {
		ans, err = a.run()
	}
	if err = a.conclude(err); err != nil {
		return answer{}, err
	}
	ans.notices = a.notices
	return ans, nil
}

func (a *act) run() (answer, error) {
	if len(a.req.Find(pageParam)) > 0 {
		return a.resume()
	}
	d, err := a.permit()
	if err != nil {
		return answer{}, err
	}
	if fhirapi.Owns(a.req.Type) {
		if a.req.Resource != nil {
			if err := a.checkInput(a.req.Body); err != nil {
				return answer{}, err
			}
		}
		return a.owned(d, place{})
	}
	switch a.req.Interaction {
	case rest.Read:
		return a.read()
	case rest.VRead:
		return a.readVersion()
	case rest.HistoryInstance:
		return a.history(place{})
	case rest.SearchType, rest.SearchCompartment, rest.HistoryType:
		if err := a.understood(); err != nil {
			return answer{}, err
		}
		return a.list(d, place{})
	case rest.Operation:
		return a.operation(d)
	default:
		return a.write()
	}
}

// permit judges the request. Types that Mandate keeps from apps are refused
// before anything is asked.
func (a *act) permit() (access.Decision, error) {
	ownLog := a.req.Type == access.LogType && access.LogReadable(a.x.in.Grant.Capacity.Kind)
	if access.NeverForApps(a.req.Type) && !ownLog || access.NeverForApps(a.req.Compartment.Type) {
		a.reason = access.Reason{Rule: "type", Code: "type-not-offered", Subject: a.req.Type}
		return access.Decision{}, errs.New(errs.Forbidden, "type-not-offered", "Apps have no access to this type.")
	}
	d, err := a.decide(a.req)
	if err != nil {
		return d, err
	}
	return d, a.stepUp()
}

// decide judges a request value: the interaction itself, or a search that it
// implies.
func (a *act) decide(r rest.Request) (access.Decision, error) {
	in := a.x.governed(r.Type)
	in.Request = &r
	d := access.Decide(in)
	a.notice(d)
	if d.Allow {
		return d, nil
	}
	return d, a.refuse(d)
}

// standing are causes that speak about the person rather than the request;
// the app is not told which it was (SC-10).
var standing = map[string]bool{"relation-not-in-force": true, "safety-hold": true, "consents-unknown": true, "consents-ended": true, "grant-ended": true}

// refuse turns a denial of a request into an error.
func (a *act) refuse(d access.Decision) error {
	if len(d.Reasons) > 0 {
		a.reason = d.Reasons[0]
	}
	switch {
	case d.Hidden:
		return errAbsent
	case standing[a.reason.Code]:
		return errs.New(errs.Forbidden, "not-permitted-now", "The access token permits nothing at the moment.")
	case a.reason.Code == "no-scope":
		return errs.New(errs.Forbidden, "no-scope", "The access token has no scope for "+a.reason.Subject+".")
	case a.reason.Code == "parameter-not-allowed":
		return errs.New(errs.Forbidden, "parameter-not-allowed", "The search parameter "+a.reason.Subject+" is not allowed.")
	}
	return errs.New(errs.Forbidden, a.reason.Code, "The access token does not permit this.")
}

// judge decides about one resource under one operation.
func (a *act) judge(res *fhir.Resource, op scope.Ops) access.Decision {
	in := a.x.governed(res.Type)
	in.Resource, in.Op = res, op
	d := access.Decide(in)
	a.notice(d)
	return d
}
