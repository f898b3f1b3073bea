package grant

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/constraint"
	"github.com/mandate-health/mandate/oauth/engine"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
)

// Deps is what an Endpoint is made of.
type Deps struct {
	Engine   *engine.Engine
	Auth     *clientauth.Authenticator
	Reader   engine.Reader
	Redecide engine.Redecider
	Clock    clock.Clock
	Devices  Devices
	// Off are grant types that are not offered.
	Off []string
	// Purpose judges the hl7-b2b extension of an assertion; oauth/udap does.
	// Errors: errs.InvalidGrant.
	Purpose func(c oauth.Client, extensions map[string]json.RawMessage) (*oauth.B2B, error)
}

// Endpoint answers token requests. It is safe for concurrent use.
type Endpoint struct {
	Deps
	types map[string]Type
}

// New gives an endpoint with every grant type of grants.go.
func New(d Deps) *Endpoint {
	e := &Endpoint{Deps: d, types: map[string]Type{}}
	for _, t := range types(d) {
		if !slices.Contains(d.Off, t.Name()) {
			e.types[t.Name()] = t
		}
	}
	return e
}

// Call is one token request, strictly parsed.
type Call struct {
	Site          engine.Site
	Form          url.Values
	Authorization []string
	// Proofs are the values of the DPoP header, URLs the addresses under which
	// the client may know this endpoint.
	Proofs []string
	URLs   []string
	// Certificate is the TLS client certificate, nil without one.
	Certificate *constraint.Certificate
	// Network and RequestID go into the audit event.
	Network   string
	RequestID string
}

func (c Call) auth() clientauth.Request {
	return clientauth.Request{
		Tenant: c.Site.Tenant, Issuer: c.Site.Issuer, Audiences: append([]string{c.Site.TokenURL, c.Site.Issuer}, c.URLs...),
		Network: c.Network, Authorization: c.Authorization, Form: c.Form, Certificate: c.Certificate,
	}
}

// attempt is what is known of a request so far.
type attempt struct {
	call Call
	now  time.Time
	// certain is Asked.Certain.
	certain bool

	auth clientauth.Result
	// proof is the DPoP proof that passed, nil without one; nonce what the
	// client is told to use from now on.
	proof  *constraint.Proof
	nonce  string
	blanks Blanks
	// scopes, expires and ends are decided after the grant type filled its
	// blanks.
	scopes  string
	expires time.Time
	ends    time.Time
	// told is what the token says of a proxy's access, decision the id of the event
	// that holds what decided, and decided the Consents by which; zero for others.
	told     oauth.Delegated
	decision string
	decided  []string
}

// Token answers a token request. When it returns, whatever the request
// changed is committed together with its audit event, for a refusal too.
// Errors: those of RFC 6749 §5.2, errs.InvalidClient with 401; errs.Unavailable.
func (e *Endpoint) Token(ctx context.Context, call Call) (Response, error) {
	a := &attempt{call: call, now: e.Clock.Now()}
	answer, err := e.answer(ctx, a)
	if engine.RefreshMoved(err) {
		// Another request came first, here or on another node, or memory was old.
		a = &attempt{call: call, now: a.now, certain: true}
		answer, err = e.answer(ctx, a)
	}
	return answer, err
}

// answer goes through all phases once. Errors: those of Token; one of which
// engine.RefreshMoved is true, without any effect.
func (e *Endpoint) answer(ctx context.Context, a *attempt) (Response, error) {
	issued, err := e.walk(ctx, a)
	if err != nil {
		w := engine.Writes{RevokeGrant: issued.Writes.RevokeGrant, Reason: issued.Writes.Reason}
		if engine.Replayed(err) && w.RevokeGrant == "" {
			w.RevokeGrant, w.Reason = a.blanks.Grant.ID, errs.As(err).Code
		}
		return Response{Nonce: a.nonce}, e.refuse(ctx, a, w, err)
	}
	if err := e.commit(ctx, a, issued); err != nil {
		if engine.RefreshMoved(err) && !a.certain {
			return Response{}, err
		}
		w := engine.Writes{}
		if engine.Replayed(err) {
			w.RevokeGrant, w.Reason = a.blanks.Grant.ID, errs.As(err).Code
		}
		return Response{Nonce: a.nonce}, e.refuse(ctx, a, w, err)
	}
	return a.response(issued), nil
}

// walk goes through the phases up to issuing; it writes nothing.
func (e *Endpoint) walk(ctx context.Context, a *attempt) (engine.Issued, error) {
	var err error
	if a.auth, err = e.Auth.Authenticate(ctx, a.call.auth()); err != nil {
		return engine.Issued{}, err
	}
	kind, err := e.kind(a.call.Form)
	if err != nil {
		return engine.Issued{}, err
	}
	if err := e.prove(ctx, a); err != nil {
		return engine.Issued{}, err
	}
	hasher, err := e.Engine.Ring.Hasher(ctx, a.call.Site.Tenant)
	if err != nil {
		return engine.Issued{}, err
	}
	a.blanks, err = kind.Fill(ctx, Asked{
		Site: a.call.Site, Client: a.auth.Client, Form: a.call.Form, Now: a.now, Hasher: hasher, Reader: e.Reader, Certain: a.certain,
		Confirmation: a.confirmation(),
		B2B:          func() (*oauth.B2B, error) { return e.Purpose(a.auth.Client, a.auth.Extensions) },
	})
	if err != nil {
		return engine.Issued{}, err
	}
	if err := e.admit(ctx, a); err != nil {
		return engine.Issued{}, err
	}
	if err := e.decide(ctx, a); err != nil {
		return engine.Issued{}, err
	}
	return e.Engine.Token(ctx, engine.TokenInput{
		Site: a.call.Site, Client: a.auth.Client, Form: a.call.Form, Now: a.now,
		Grant: a.blanks.Grant, Code: a.blanks.Code, Refresh: a.blanks.Refresh, Replayed: a.blanks.Replayed,
		Successor: a.blanks.Successor, Direct: a.blanks.Direct,
		Scopes: a.scopes, Expires: a.expires, RefreshEnds: a.ends, B2B: a.blanks.B2B, Told: a.told,
		Confirmation: a.confirmation(),
	})
}

// admit counts a request once for the person whose grant it names, before
// anything is spent. One that uses a code or a token again is never held up: it
// ends the grant.
func (e *Endpoint) admit(ctx context.Context, a *attempt) error {
	if a.certain || a.blanks.Replayed || !a.blanks.Code.Used.IsZero() {
		return nil
	}
	return e.Engine.AdmitPerson(ctx, a.blanks.Grant)
}

func (e *Endpoint) kind(form url.Values) (Type, error) {
	name := form.Get("grant_type")
	if name == "" {
		return nil, errs.New(errs.InvalidRequest, "parameter-missing", "grant_type is missing.")
	}
	t, offered := e.types[name]
	if !offered {
		return nil, errs.New(errs.UnsupportedGrantType, "grant-type-unsupported", "This grant type is not offered.")
	}
	return t, nil
}

// commit applies what was issued together with its event.
func (e *Endpoint) commit(ctx context.Context, a *attempt, issued engine.Issued) error {
	w := issued.Writes
	w.Assertion, w.Proof, w.Renewal, w.Also = a.auth.Assertion, a.proof, a.auth.Renewal, a.blanks.Also
	if a.ends.After(a.blanks.Grant.Ends) {
		w.ExtendID, w.ExtendGrant = a.blanks.Grant.ID, a.ends
	}
	event := a.event(audit.TokenIssued, audit.Success, "")
	event.TokenID = issued.TokenID
	if a.decision != "" {
		event.ID, event.Consents = a.decision, a.decided
	}
	return e.Engine.Commit(ctx, w, event, a.now)
}

// refuse commits the event of a refusal with what it ends, and gives the
// error to be answered. An assertion and a proof that were verified are spent by
// a refused request too; one that was spent before is the graver refusal.
func (e *Endpoint) refuse(ctx context.Context, a *attempt, w engine.Writes, cause error) error {
	switch errs.KindOf(cause) {
	case errs.Unavailable, errs.Internal, errs.RateLimited:
		// A flood must not become a flood of writes.
		return cause
	case errs.UseDPoPNonce:
		// The request is no attempt yet: it comes again with the nonce.
		return cause
	}
	if k := errs.KindOf(cause); k == errs.AuthorizationPending || k == errs.SlowDown {
		return e.wait(ctx, a, cause)
	}
	w.Assertion, w.Proof, w.Renewal = a.auth.Assertion, a.proof, a.auth.Renewal
	for {
		switch errs.As(cause).Code {
		case "assertion-replayed":
			w.Assertion = nil
		case "dpop-proof-replayed":
			w.Proof = nil
		}
		err := e.record(ctx, a, w, cause)
		if !errs.Is(err, errs.InvalidClient) && !errs.Is(err, errs.InvalidDPoPProof) {
			return cmp.Or(err, cause)
		}
		cause = err
	}
}

// wait tells a device that it has to, without an event: there will be many.
func (e *Endpoint) wait(ctx context.Context, a *attempt, cause error) error {
	w := engine.Writes{Assertion: a.auth.Assertion, Proof: a.proof, Renewal: a.auth.Renewal, Also: a.blanks.Also}
	if w.Assertion == nil && w.Proof == nil && w.Renewal == nil && w.Also == nil {
		return cause
	}
	if err := e.Engine.Apply(ctx, a.call.Site.Tenant, w, a.now); err != nil {
		return err
	}
	return cause
}

func (e *Endpoint) record(ctx context.Context, a *attempt, w engine.Writes, cause error) error {
	kind := audit.TokenRefused
	if engine.Replayed(cause) {
		kind = audit.TokenReplayed
	}
	event := a.event(kind, audit.MinorFailure, errs.As(cause).Code)
	return e.Engine.Commit(ctx, w, event, a.now)
}

// Refuse records the refusal of a request that could not even be parsed, and
// gives the error to be answered.
func (e *Endpoint) Refuse(ctx context.Context, call Call, cause error) error {
	return e.refuse(ctx, &attempt{call: call, now: e.Clock.Now()}, engine.Writes{}, cause)
}

// event says who asked for what, as far as it is known.
func (a *attempt) event(kind audit.Kind, outcome audit.Outcome, reason string) audit.Event {
	g := a.blanks.Grant
	id := a.auth.Client.ID
	if id == "" {
		id = clip(clientauth.Named(a.call.auth()), maxNamed)
	}
	capacity := g.Capacity
	if g.ID == "" && a.auth.Client.ForItself() {
		capacity.Kind = fhir.CapacitySystem
	}
	return audit.Event{
		Tenant: a.call.Site.Tenant, Time: a.now, Kind: kind, Action: "E", Outcome: outcome, Reason: reason,
		PersonID: g.PersonID, Capacity: capacity, ClientID: id, SessionID: g.SessionHash,
		Patient: g.Record(), GrantID: g.ID, Consents: g.Basis(),
		Network: a.call.Network, RequestID: a.call.RequestID,
		Detail: a.detail(),
	}
}

func (a *attempt) detail() map[string]string {
	d := map[string]string{"grant_type": clip(a.call.Form.Get("grant_type"), maxType)}
	if a.auth.Method != "" {
		d["method"] = string(a.auth.Method)
	}
	if a.scopes != "" {
		d["scope"] = a.scopes
	}
	if text := access.Explained(a.blanks.Explained); text != "" {
		d["explained"] = text
	}
	if direct := a.blanks.Direct; direct != nil && direct.Act != nil {
		maps.Copy(d, engine.ActDetail(direct.Act, a.blanks.Grant))
	}
	if b := a.blanks.B2B; b != nil {
		maps.Copy(d, b.Detail())
	}
	return d
}

// How many bytes of what a stranger says is written into the audit log. The name
// of a client may be an address.
const (
	maxNamed = 512
	maxType  = 64
)

// clip bounds a text and cuts no character in two.
func clip(s string, most int) string {
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "")
	}
	return s
}
