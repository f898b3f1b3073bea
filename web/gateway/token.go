package gateway

import (
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

var errNoToken = errs.New(errs.Unauthenticated, "token-missing", "An access token is needed, in the Authorization header.")

// presented takes the token from the one Authorization header; never from the
// address or a body (RFC 6750 §5.3, RFC 9449 §7.1).
func (g *Gateway) presented(r *http.Request) (oauth.Presentation, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return oauth.Presentation{}, errNoToken
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	dpop := strings.EqualFold(scheme, "DPoP")
	if !ok || !dpop && !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " ,\t") {
		return oauth.Presentation{}, errNoToken
	}
	p := oauth.Presentation{DPoP: dpop, Token: token, Certificate: g.d.Certificate(r)}
	if dpop {
		p.Proofs, p.Method, p.URLs = r.Header.Values("DPoP"), r.Method, []string{g.d.URL(r)}
	}
	return p, nil
}

// authenticate gives the exchange of a good token in the right hands. Errors:
// errs.Unauthenticated, errs.InvalidDPoPProof, errs.UseDPoPNonce,
// errs.RateLimited, errs.Unavailable.
func (g *Gateway) authenticate(w http.ResponseWriter, r *http.Request) (*exchange, error) {
	p, err := g.presented(r)
	if err != nil {
		return nil, err
	}
	x := &exchange{g: g, ctx: r.Context(), token: p.Token}
	x.origin = audit.Event{Tenant: g.d.Tenant, Network: g.d.Address(r), RequestID: g.d.RequestID(r)}
	b, nonce, err := g.d.Verifier.Presented(x.ctx, g.d.Tenant, p)
	if nonce != "" {
		w.Header().Set("DPoP-Nonce", nonce)
	}
	if err != nil {
		return nil, err
	}
	if err := x.back(b); err != nil {
		return nil, err
	}
	return x, g.admit(x)
}

// Caller is whose measure a request counts against. Each part but the client is
// empty where there is none.
type Caller struct{ Client, Person, Patient string }

// admit counts a request for its client, its person, and the patient to whose
// record the token is bound.
func (g *Gateway) admit(x *exchange) error {
	if g.d.Admit == nil {
		return nil
	}
	return g.d.Admit(x.ctx, g.d.Tenant, Caller{Client: x.bearer.Client.ID, Person: x.in.Grant.PersonID, Patient: bound(x.in)})
}

// stand verifies the token again and loads what backs it now: between fetching
// and releasing, so that a revocation in between counts (GW-26).
func (x *exchange) stand() error {
	b, err := x.g.d.Verifier.VerifyAccessToken(x.ctx, x.g.d.Tenant, x.token)
	if err != nil {
		return err
	}
	return x.back(b)
}

// back loads what backs a token that was verified.
func (x *exchange) back(b Bearer) error {
	g := x.g
	now := g.d.Clock.Now()
	grant := b.Grant
	if b.System {
		grant = oauth.Grant{ClientID: b.Client.ID, Capacity: fhir.Capacity{Kind: fhir.CapacitySystem}}
	}
	grant.Tenant, grant.Scopes = g.d.Tenant, b.Scopes
	in, err := g.d.Authority.Input(x.ctx, grant, now)
	if err != nil {
		return err
	}
	if b.System && b.Client.PatientGroup != "" {
		if in.Grant.Members, err = x.members(b.Client.PatientGroup); err != nil {
			return err
		}
	}
	x.bearer, x.in = b, in
	o := &x.origin
	o.PersonID, o.ClientID, o.Capacity = grant.PersonID, grant.ClientID, grant.Capacity
	if b.Acted != nil {
		o.ClientID, o.Detail = b.Client.ID, b.Acted
	}
	o.SessionID, o.GrantID, o.TokenID, o.Patient = grant.SessionHash, grant.ID, b.JTI, bound(in)
	return nil
}

// maxTries is how often a filtered answer is made anew because a consent
// changed meanwhile.
const maxTries = 3

// stands asks again what backs the token; where that changed the request is
// judged anew.
func (a *act) stands() (changed bool, err error) {
	before := a.x.in
	if err := a.x.stand(); err != nil {
		return false, err
	}
	if sameStanding(before, a.x.in) {
		return false, nil
	}
	a.x.memory.mentions, a.x.memory.asker = nil, 0
	_, err = a.permit()
	return true, err
}

// sameStanding reports whether what backs a token is what it was.
func sameStanding(a, b access.Input) bool {
	return a.Policy == b.Policy && a.ProxyInForce == b.ProxyInForce && a.ProxyEnds.Equal(b.ProxyEnds) && a.SafetyHold == b.SafetyHold &&
		slices.Equal(a.Grant.Members, b.Grant.Members)
}

// bound gives the patient on whose record the grant acts, "" when it is not
// bound to one.
func bound(in access.Input) string {
	if in.Grant.Patient != "" {
		return in.Grant.Patient
	}
	return in.Grant.Capacity.Patient
}

// holder names whom a handle in a link is for: the grant, or the client that
// acts for itself (SMART TRP-07).
func (x *exchange) holder() string {
	if x.bearer.System {
		return "client:" + x.bearer.Client.ID
	}
	return "grant:" + x.bearer.Grant.ID
}

// system reports whether the client acts for itself.
func (x *exchange) system() bool { return x.in.Grant.Capacity.Kind == fhir.CapacitySystem }
