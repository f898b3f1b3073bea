package gateway

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/authority"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// Question asks what the gateway would decide, without anything leaving.
type Question struct {
	// Bearer is whose request it would be.
	Bearer  Bearer
	Request rest.Request
	// Resource is the resource in question as the asker has it. Without one the
	// FHIR server is asked for what the request names.
	Resource []byte
	// Found is a resource that the answer of a search held, to be judged as found;
	// zero for none.
	Found fhir.Reference
	// At is the moment for which it is asked; zero means now. Consents and relations
	// are those of now.
	At time.Time
}

// Judgement is a decision with all that it was made of.
type Judgement struct {
	// Input holds grant and standing as they were judged.
	Input access.Input
	// Allow says that the request would be answered, with the resource where one
	// was judged.
	Allow bool
	// Reason is why not, most decisive first; zero on a permit.
	Reason access.Reason
	// Request is the decision about the request.
	Request        access.Decision
	RequestAccount access.Account
	// Judged is the resource that was judged too, zero for none: then Resource and
	// ResourceAccount say how. Absent says that the FHIR server has it not, or
	// that Mandate itself keeps it and shows it not.
	Judged          fhir.Reference
	Resource        access.Decision
	ResourceAccount access.Account
	Absent          bool
	// Unjudged is the resource that the request names and nobody could look at,
	// where no FHIR server is known; zero for none.
	Unjudged fhir.Reference
	// Would are the refusals that did not count, because their rule is only
	// audited.
	Would []access.Reason
	// Query is the search as the audit log would hold it.
	Query string
	// Patient is on whose record the grant acts, "" when it is not bound to one.
	Patient string
}

// Under gives the gateway as it would be with other modes of the rules and another
// authority (consents, value sets), to ask it questions.
func (g *Gateway) Under(m access.Modes, l *authority.Loader) *Gateway {
	d := g.d
	d.Modes, d.Authority = m, l
	return New(d)
}

// Judge decides about a request as ServeHTTP would, by the same steps, and
// records nothing: who asks records the question. Batches and transactions are
// refused with errs.Invalid: each entry is a question of its own. Errors:
// errs.Upstream; errs.Unavailable.
func (g *Gateway) Judge(ctx context.Context, q Question) (Judgement, error) {
	if q.Request.Interaction == rest.Batch || q.Request.Interaction == rest.Transaction {
		return Judgement{}, errs.New(errs.Invalid, "question-of-many", "A batch is many requests: ask about one of them.")
	}
	if !q.At.IsZero() {
		d := g.d
		d.Clock = clock.Fixed(q.At)
		g = New(d)
	}
	x := &exchange{g: g, ctx: ctx}
	if err := x.back(q.Bearer); err != nil {
		return Judgement{}, err
	}
	if err := localRequest(&q.Request, g.d.Base); err != nil {
		return Judgement{}, err
	}
	a := &act{x: x, req: q.Request}
	j := Judgement{Input: x.in, Query: blanked(q.Request), Patient: bound(x.in)}
	in := x.governed(q.Request.Type)
	in.Request = &q.Request
	d, err := a.permit()
	j.Request, j.RequestAccount, j.Would = d, access.Explain(in, d), d.WouldDeny
	if err != nil {
		j.Reason = a.reason
		return j, unlessReason(err, a.reason)
	}
	j.Allow = true
	if q.Resource != nil {
		return a.judgeGiven(j, q.Resource)
	}
	ref := a.req.Target()
	if !q.Found.IsZero() {
		ref = q.Found
	}
	return a.judgeNamed(j, ref)
}

// unlessReason keeps an error that is no decision.
func unlessReason(err error, r access.Reason) error {
	if r.Code != "" {
		return nil
	}
	return err
}

// judgeGiven judges the resource that the asker has.
func (a *act) judgeGiven(j Judgement, raw []byte) (Judgement, error) {
	res, err := view.Scan(localise(raw, a.x.g.d.Base, ""))
	if err != nil {
		return j, err
	}
	if want := a.req.Target(); res.Type != a.req.Type || !want.IsZero() && want.ID != res.ID {
		return j, errs.New(errs.Invalid, "resource-mismatch", "The resource is not the one that the request names.")
	}
	return a.weigh(j, res)
}

// judgeNamed judges the resource that the request names as it is now, and the
// version asked for where it names one.
func (a *act) judgeNamed(j Judgement, ref fhir.Reference) (Judgement, error) {
	if ref.IsZero() || a.req.Interaction == rest.Operation {
		return j, nil
	}
	if a.x.g.d.Upstream == nil && !fhirapi.Owns(ref.Type) {
		j.Unjudged = ref
		return j, nil
	}
	if fhirapi.Owns(ref.Type) {
		return a.judgeOwned(j, ref)
	}
	paths := []string{"/" + ref.String()}
	if a.req.Version != "" {
		paths = append(paths, paths[0]+"/_history/"+a.req.Version)
	}
	for _, path := range paths {
		raw, err := a.x.fetch(path)
		if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
			j.Judged, j.Absent, j.Allow = ref, true, j.Allow && a.req.Interaction == rest.Update
			return j, nil
		}
		if err != nil {
			return j, err
		}
		res, err := view.Scan(a.x.g.local(raw, a.x.g.d.Base))
		if err != nil {
			return j, errs.Wrap(err, errs.Upstream, "upstream-malformed", "The FHIR server's answer is not a resource.")
		}
		if j, err = a.weigh(j, res); err != nil || !j.Allow {
			return j, err
		}
	}
	return j, nil
}

// judgeOwned asks the room that keeps the resource, which judges what it gives.
func (a *act) judgeOwned(j Judgement, ref fhir.Reference) (Judgement, error) {
	got, err := a.x.g.d.Owned.Do(a.x.ctx, fhirapi.Call{
		Tenant: a.x.g.d.Tenant, Input: a.x.in, Origin: a.x.origin, Request: rest.Request{Interaction: rest.Read, Type: ref.Type, ID: ref.ID},
	})
	if errs.Is(err, errs.NotFound) {
		j.Judged, j.Absent, j.Allow = ref, true, false
		return j, nil
	}
	if err != nil {
		return j, err
	}
	res, err := view.Scan(got.One.Raw)
	if err != nil {
		return j, err
	}
	return a.weigh(j, res)
}

// weigh judges one resource under the operation of the request.
func (a *act) weigh(j Judgement, res fhir.Resource) (Judgement, error) {
	ops := scope.Read
	switch {
	case a.req.ID == "" && opsOf(a.req.Interaction).Has(scope.Search):
		ops = scope.Search
	case a.req.Interaction == rest.Create:
		ops = scope.Create
	case opsOf(a.req.Interaction).Has(scope.Update):
		ops = scope.Update
	case opsOf(a.req.Interaction).Has(scope.Delete):
		ops = scope.Delete
	}
	reachable, err := a.adopt(&res)
	if err != nil {
		return j, err
	}
	j.Judged = fhir.Reference{Type: res.Type, ID: res.ID}
	if !reachable {
		j.Allow, j.Reason = false, access.Reason{Rule: "compartment", Code: "binary-not-visible"}
		return j, nil
	}
	in := a.x.governed(res.Type)
	in.Resource, in.Op = &res, ops
	j.Resource = a.judge(&res, ops)
	j.Would = append(j.Would, j.Resource.WouldDeny...)
	j.ResourceAccount = access.Explain(in, j.Resource)
	if !j.Resource.Allow {
		j.Allow = false
		if len(j.Resource.Reasons) > 0 {
			j.Reason = j.Resource.Reasons[0]
		}
	}
	return j, nil
}
