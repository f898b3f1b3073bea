package authority

import (
	"context"
	"strings"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/proxy"
)

// Policies gives the compiled consents of a patient.
type Policies interface {
	PolicyFor(ctx context.Context, tenant, patient string) (*consent.Policy, error)
}

// Proxies gives relations.
type Proxies interface {
	RelatedPersonByID(ctx context.Context, tenant, id string) (proxy.RelatedPerson, error)
}

// Loader fills in what a decision needs.
type Loader struct {
	Policies Policies
	Proxies  Proxies
	Clock    clock.Clock
	// Labelling classifies what its source did not label; nil classifies nothing.
	Labelling *access.Labelling

	decisions decisions
	readings  readings
}

// Standing is what backs an acting capacity at one moment.
type Standing struct {
	Policy       *consent.Policy
	ProxyInForce bool
	// ProxyEnds is when the relation ends, zero when that is not known (EV-14).
	ProxyEnds  time.Time
	SafetyHold bool
}

// Of loads the standing of a capacity. Capacities that are not judged by
// consents have an empty one. Errors: errs.Unavailable.
func (l *Loader) Of(ctx context.Context, tenant string, c fhir.Capacity, now time.Time) (Standing, error) {
	if !c.IsProxy() {
		return Standing{}, nil
	}
	rp, err := l.Proxies.RelatedPersonByID(ctx, tenant, c.Acting.ID)
	if errs.Is(err, errs.NotFound) {
		return Standing{}, nil
	}
	if err != nil {
		return Standing{}, err
	}
	policy, err := l.Policies.PolicyFor(ctx, tenant, c.Patient)
	if err != nil {
		return Standing{}, err
	}
	return Standing{Policy: policy, ProxyInForce: rp.Patient == c.Patient && rp.InForce(now), ProxyEnds: rp.Period.End}, nil
}

// Input gives the part of a decision's input that depends on the grant and on
// its standing now; the caller adds the request or the resource. Errors:
// errs.Unavailable.
func (l *Loader) Input(ctx context.Context, g oauth.Grant, now time.Time) (access.Input, error) {
	st, err := l.Of(ctx, g.Tenant, g.Capacity, now)
	if err != nil {
		return access.Input{}, err
	}
	view := viewOf(g, l.readings.of(g.Scopes))
	if over, err := l.withdrawn(ctx, g, st); err != nil {
		return access.Input{}, err
	} else if over {
		view.Ends = now
	}
	return access.Input{
		Grant:        view,
		Policy:       st.Policy,
		ProxyInForce: st.ProxyInForce,
		ProxyEnds:    st.ProxyEnds,
		SafetyHold:   st.SafetyHold,
		Now:          now,
		Labelling:    l.Labelling,
	}, nil
}

// withdrawn reports whether the Consent that records the grant was withdrawn.
func (l *Loader) withdrawn(ctx context.Context, g oauth.Grant, st Standing) (bool, error) {
	if g.ConsentID == "" {
		return false, nil
	}
	policy := st.Policy
	if policy == nil {
		var err error
		if policy, err = l.Policies.PolicyFor(ctx, g.Tenant, g.Record()); err != nil {
			return false, err
		}
	}
	return policy.ApprovalEnded(g.ConsentID), nil
}

// View gives what a decision needs to know about a stored grant.
func View(g oauth.Grant) access.GrantView { return viewOf(g, stored(g.Scopes)) }

// stored reads scopes that were judged when they were granted.
func stored(scopes string) scope.Request {
	req, _ := scope.Parse(scopes, oauth.StoredScopes())
	return req
}

func viewOf(g oauth.Grant, req scope.Request) access.GrantView {
	return access.GrantView{
		ID: g.ID, ClientID: g.ClientID, PersonID: g.PersonID,
		Capacity: g.Capacity, Patient: g.Context.Patient,
		Scopes: req.Clinical, OpenID: req.OpenID && req.FHIRUser,
		Topics: g.Topics, Ends: g.Ends,
	}
}

// Redecide judges a grant anew with today's registration, relation and
// consents (SC-15, SC-17). requested is a subset to narrow to; empty means the
// whole grant. Errors: errs.AccessDenied when nothing is left,
// errs.InvalidScope when requested is wider than the grant, errs.Unavailable.
func (l *Loader) Redecide(ctx context.Context, have oauth.Standing, requested string) (oauth.Redecision, error) {
	now, g := l.Clock.Now(), have.Grant
	if have.Client.ID == "" || have.Client.Disabled || have.ApprovalEnded || !have.Live(now) {
		return oauth.Redecision{}, errs.New(errs.AccessDenied, "grant-ended", "The grant has ended.")
	}
	if g.Capacity.IsProxy() {
		return l.redecide(ctx, have, requested, now)
	}
	q := judged{
		granted: g.Scopes, requested: requested, registered: have.Client.Scopes, kind: g.Capacity.Kind,
		hasPatient: g.Context.Patient != "", hasFHIRUser: !g.Capacity.Acting.IsZero(), keep: g.Offline,
	}
	if out, ok := l.decisions.get(q); ok {
		return out, nil
	}
	out, err := l.redecide(ctx, have, requested, now)
	if err == nil {
		l.decisions.put(q, out)
	}
	return out, err
}

// redecide judges without remembering.
func (l *Loader) redecide(ctx context.Context, have oauth.Standing, requested string, now time.Time) (oauth.Redecision, error) {
	g := have.Grant
	st, err := l.Of(ctx, g.Tenant, g.Capacity, now)
	if err != nil {
		return oauth.Redecision{}, err
	}
	granted, asked, err := narrowTo(g.Scopes, requested)
	if err != nil {
		return oauth.Redecision{}, err
	}
	return l.answer(g, have.Client, st, granted, asked, now)
}

// narrowTo checks that requested is within the granted text and gives what is
// held and what to judge.
func narrowTo(granted, requested string) (have, asked scope.Request, err error) {
	if have, err = scope.Parse(granted, oauth.StoredScopes()); err != nil {
		return have, asked, err
	}
	if requested == "" {
		return have, have, nil
	}
	if asked, err = scope.Parse(requested, oauth.StoredScopes()); err != nil {
		return have, asked, err
	}
	for _, s := range asked.Clinical {
		if !have.Clinical.Covers(s) {
			return have, asked, errs.New(errs.InvalidScope, "scope-wider-than-grant", "A requested scope is wider than what was granted.")
		}
	}
	return have, asked, nil
}

func (l *Loader) answer(g oauth.Grant, client oauth.Client, st Standing, have, asked scope.Request, now time.Time) (oauth.Redecision, error) {
	registered, err := scope.Parse(client.Scopes, scope.Limits{})
	if err != nil {
		return oauth.Redecision{}, err
	}
	a := access.GrantedScopes(access.ScopeQuestion{
		Requested: asked, Registered: registered, Capacity: g.Capacity,
		Policy: st.Policy, ProxyInForce: st.ProxyInForce, ProxyEnds: st.ProxyEnds, SafetyHold: st.SafetyHold,
		EHRLaunch: have.Launch, HasPatient: g.Context.Patient != "",
		HasFHIRUser: !g.Capacity.Acting.IsZero(),
		Ticked:      have.Clinical, KeepAccess: g.Offline, Now: now,
	})
	if a.Denied {
		return oauth.Redecision{}, errs.New(errs.AccessDenied, "grant-no-longer-permitted", "Nothing of the grant is permitted any more.")
	}
	return oauth.Redecision{
		Scopes: strings.Join(a.Texts, " "), ValidUntil: a.ValidUntil, GrantsEnd: a.GrantsEnd,
		Consents: a.Consents, Policies: a.Policies, Explained: a.Explained,
	}, nil
}
