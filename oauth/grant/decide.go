package grant

import (
	"context"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// decide sets scopes and ends of the tokens. A request under a grant is
// decided anew: the person, the log-in session of an online grant, and what
// consents and registration still allow (SMART REF-10, SCP-21). A replay is
// not: its refusal is certain and must end the grant.
func (e *Endpoint) decide(ctx context.Context, a *attempt) error {
	g := a.blanks.Grant
	if g.ID == "" {
		a.scopes = a.blanks.Scopes
		a.expires = a.now.Add(oauth.TokenLife(fhir.Capacity{Kind: fhir.CapacitySystem}))
		return nil
	}
	if a.blanks.Replayed || !a.blanks.Code.Used.IsZero() {
		a.scopes, a.expires, a.ends = a.blanks.Scopes, a.now.Add(oauth.TokenLife(g.Capacity)), g.Ends
		return nil
	}
	if err := present(a.blanks.Standing, a.now); err != nil {
		return err
	}
	d, err := e.Redecide.Redecide(ctx, a.blanks.Standing, a.blanks.Scopes)
	if errs.Is(err, errs.AccessDenied) {
		return errs.Wrap(err, errs.InvalidGrant, errs.As(err).Code, "The access that was granted is not allowed any more.")
	}
	if err != nil {
		return err
	}
	a.blanks.Explained = append(a.blanks.Explained, d.Explained...)
	a.scopes = strings.Join(strings.Fields(d.Scopes), " ")
	if a.scopes == "" {
		return errs.New(errs.InvalidGrant, "nothing-left", "Nothing of what was granted is allowed any more.")
	}
	a.ends = g.Ends
	if a.blanks.Renews && g.Offline && g.RenewFor > 0 {
		// Of the three months a grant is kept after its last use, some hours are
		// not worth writing it anew with each refresh.
		if ends := earliest(a.now.Add(g.RenewFor), d.ValidUntil); ends.Sub(g.Ends) >= g.RenewFor/renewSteps {
			a.ends = ends
		}
	}
	a.expires = earliest(earliest(a.now.Add(oauth.TokenLife(g.Capacity)), a.ends), d.ValidUntil)
	a.expires = earliest(a.expires, a.blanks.Until)
	if a.expires.Unix() <= a.now.Unix() {
		return errEnded()
	}
	if g.Capacity.IsProxy() {
		a.decision, a.decided = e.Engine.IDs.ID(), g.DecidedBy(d)
		a.told = g.Told(d, a.decision, a.call.Site.FHIRBase, a.expires)
	}
	return nil
}

// renewSteps is in how many steps the end of a grant is moved by RenewFor.
const renewSteps = 128

// present asks whether the person may still act, and for an online grant
// whether they are still there.
func present(st oauth.Standing, now time.Time) error {
	if !st.PersonActive {
		return errs.New(errs.InvalidGrant, "person-disabled", "The person who granted access may not act any more.")
	}
	if st.Grant.Online && !st.Grant.Offline && !st.SignedIn(now) {
		return errs.New(errs.InvalidGrant, "session-ended", "The person has signed out.")
	}
	return nil
}

// earliest gives the earlier time; a zero bound does not bound.
func earliest(t, bound time.Time) time.Time {
	if bound.IsZero() || t.Before(bound) {
		return t
	}
	return bound
}
