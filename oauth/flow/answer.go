package flow

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/oauth"
)

// Keep is how long an app keeps access while the person is away.
type Keep string

// The durations; "for ever" does not exist.
const (
	KeepVisit   Keep = ""
	KeepWeek    Keep = "1w"
	KeepQuarter Keep = "3m"
	KeepYear    Keep = "1y"
)

// Ticks is what the person chose on the consent page.
type Ticks struct {
	// Kinds holds the ticked kinds by type; the value lists the chosen
	// categories ("system|code"), nil for all of the kind.
	Kinds map[string][]string
	// Actions holds the types whose action is ticked.
	Actions []string
	Topics  []string
	Keep    Keep
	// Handle is Offer.Handle as posted.
	Handle string
}

// quarter is the renewal period of "3 months, renewed while used": never less
// than three calendar months (US-01, US-02).
const quarter = 92 * 24 * time.Hour

var (
	errDenied   = errs.New(errs.AccessDenied, "access-denied", "Access was not granted.")
	errChanged  = errs.New(errs.Conflict, "offer-changed", "What can be shared changed while the page was open.")
	errAnswered = errs.New(errs.Conflict, "request-answered", "This request was already answered.")
)

// Deny answers the app that the person does not allow it and gives the URL to
// return to.
func (s *Service) Deny(ctx context.Context, p oauth.Pending, who Visitor) (string, error) {
	err := s.refusePending(ctx, p, who, errDenied)
	var r *Refusal
	if errors.As(err, &r) {
		return s.RefusalURL(r), nil
	}
	return "", err
}

// Allow grants what was ticked: one transaction holds the grant, the FHIR
// Consent that records it, the code and the audit events. It gives the URL
// that returns to the app. Errors: errs.Conflict code offer-changed when the
// page must be shown again, *Refusal when nothing is left to grant.
func (s *Service) Allow(ctx context.Context, p oauth.Pending, who Visitor, t Ticks) (string, error) {
	o, st, err := s.offerable(ctx, p)
	if err != nil {
		return "", err
	}
	shown := topicsOf(t.Handle)
	if !ids.Equal(s.shown(p, o.Handle, shown), t.Handle) {
		return "", errChanged
	}
	o.Topics = shown
	t = t.within(o)
	q := o.question
	q.Ticked, q.KeepAccess = ticked(o, t), t.Keep != KeepVisit
	a := access.GrantedScopes(q)
	if a.Denied {
		return "", s.refusePending(ctx, p, who, errDenied, a.Explained...)
	}
	g := s.grant(p, who, a, t)
	if err := s.contexts(ctx, p, st, &g); err != nil {
		return "", err
	}
	code := ""
	if !fromDevice(p) {
		g.Code = new(oauth.Code)
		if code, *g.Code, err = s.Issuer.IssueCode(ctx, o.Client, p.Request, g); err != nil {
			return "", err
		}
	}
	if err := s.Tx.InTx(ctx, func(tx Tx) error { return s.commit(ctx, tx, p, who, o, a, g) }); err != nil {
		return "", err
	}
	if fromDevice(p) {
		return s.returnURL(p.Request.RedirectURI, url.Values{}), nil
	}
	return s.returnURL(p.Request.RedirectURI, url.Values{"code": {code}, "state": {p.Request.State}}), nil
}

// within leaves of the ticks what was offered (AZ-21).
func (t Ticks) within(o Offer) Ticks {
	out := Ticks{Kinds: map[string][]string{}, Handle: t.Handle}
	for _, k := range o.Kinds {
		chosen, ok := t.Kinds[k.Type]
		switch {
		case !ok:
		case chosen == nil:
			out.Kinds[k.Type] = nil
		default:
			out.Kinds[k.Type] = slices.DeleteFunc(slices.Clone(chosen), func(value string) bool {
				return !slices.ContainsFunc(k.Categories, func(c Category) bool { return c.Value() == value })
			})
		}
	}
	for _, a := range o.Actions {
		if slices.Contains(t.Actions, a.Type) {
			out.Actions = append(out.Actions, a.Type)
		}
	}
	for _, topic := range t.Topics {
		if slices.ContainsFunc(o.Topics, func(one Topic) bool { return string(one.Topic) == topic }) {
			out.Topics = append(out.Topics, topic)
		}
	}
	if slices.Contains([]Keep{KeepWeek, KeepQuarter, KeepYear}, t.Keep) {
		out.Keep = t.Keep
	}
	return out
}

// ticked turns the ticks into the scopes they allow.
func ticked(o Offer, t Ticks) scope.Set {
	out := scope.Set{}
	all := everyKindWhole(o, t)
	for _, s := range o.Answer.Clinical {
		r, w := s, s
		if r.Ops &= reads; r.Ops != 0 {
			out = append(out, tickedReads(o, t, r, all)...)
		}
		if w.Ops &= writes; w.Ops != 0 && slices.Contains(t.Actions, s.Type) {
			w.Text = ""
			out = append(out, w)
		}
	}
	return out
}

// everyKindWhole reports whether every offered kind is ticked without
// narrowing: only then may a wildcard stay a wildcard.
func everyKindWhole(o Offer, t Ticks) bool {
	for _, k := range o.Kinds {
		if categories, ok := t.Kinds[k.Type]; !ok || categories != nil {
			return false
		}
	}
	return true
}

func tickedReads(o Offer, t Ticks, s scope.Scope, all bool) scope.Set {
	s.Text = ""
	if s.Type != scope.AnyType {
		return narrowed(s, t)
	}
	if all {
		return scope.Set{s}
	}
	var out scope.Set
	for _, k := range o.Kinds {
		one := s
		one.Type = k.Type
		if k.Type != scope.AnyType {
			out = append(out, narrowed(one, t)...)
			continue
		}
		if _, ok := t.Kinds[scope.AnyType]; ok {
			for _, typ := range restTypes() {
				one.Type = typ
				out = append(out, one)
			}
		}
	}
	return out
}

// narrowed gives the scope once per chosen category, whole when no category
// was chosen, or not at all when its kind is not ticked.
func narrowed(s scope.Scope, t Ticks) scope.Set {
	categories, ok := t.Kinds[s.Type]
	if !ok {
		return nil
	}
	if categories == nil {
		return scope.Set{s}
	}
	var out scope.Set
	for _, c := range categories {
		one := s
		one.Params = append(slices.Clone(s.Params), scope.Param{Name: "category", Values: []string{c}})
		out = append(out, one)
	}
	return out
}

// grant makes the grant that the answer and the ticks describe. It has the id of
// the request, which can be answered by one only.
func (s *Service) grant(p oauth.Pending, who Visitor, a access.ScopeAnswer, t Ticks) oauth.Grant {
	now := s.Clock.Now()
	g := oauth.Grant{
		Tenant: p.Tenant, ID: p.ID, PersonID: p.PersonID, ClientID: p.Request.ClientID,
		Capacity: p.Capacity, Context: p.Context, Scopes: strings.Join(a.Texts, " "), Consents: a.Consents,
		SessionHash: who.Session.Hash, AuthTime: who.Session.AuthTime, AMR: who.Session.AMR, ACR: string(who.Session.Level()),
		Created: now, Ends: now.Add(oauth.TokenLife(p.Capacity)),
	}
	if g.Record() != "" {
		// The Consent has the id of the grant, in whose row it may be kept.
		g.ConsentID, g.ConsentVersion = g.ID, 1
	}
	if p.Capacity.Kind == fhir.CapacitySelf {
		g.Topics = t.Topics
	}
	switch {
	case a.Offline && t.Keep == KeepWeek:
		g.Offline, g.Ends = true, now.AddDate(0, 0, 7)
	case a.Offline && t.Keep == KeepQuarter:
		g.Offline, g.Ends, g.RenewFor = true, now.Add(quarter), quarter
	case a.Offline && t.Keep == KeepYear:
		g.Offline, g.Ends = true, now.AddDate(1, 0, 0)
	case a.Online:
		g.Online, g.Ends = true, who.Session.Ends
	}
	if !a.ValidUntil.IsZero() && a.ValidUntil.Before(g.Ends) {
		g.Ends = a.ValidUntil
	}
	return g
}

func (s *Service) commit(ctx context.Context, tx Tx, p oauth.Pending, who Visitor, o Offer, a access.ScopeAnswer, g oauth.Grant) error {
	if err := s.create(ctx, tx, o, a, g); err != nil {
		return err
	}
	first, err := tx.FinishPending(ctx, p.Tenant, p.Name(), g.ID, g.Created)
	if err != nil {
		return err
	}
	if !first {
		return errAnswered
	}
	if err := s.tellDevice(ctx, tx, p, g); err != nil {
		return err
	}
	return tx.AppendAudit(ctx, s.grantedEvent(p, who, a, g))
}

// create stores the grant and, where it is about a record, the Consent. Errors:
// errAnswered, errs.Unavailable.
func (s *Service) create(ctx context.Context, tx Tx, o Offer, a access.ScopeAnswer, g oauth.Grant) (err error) {
	if g.ConsentID == "" {
		err = tx.CreateGrant(ctx, g)
	} else if err = tx.CreateApproved(ctx, g, s.approval(g, o, a.Texts)); err == nil {
		err = s.tellPatient(ctx, tx, g)
	}
	if errs.Is(err, errs.Conflict) {
		return errAnswered
	}
	return err
}

// approval records the person's answer as a FHIR Consent whose actor is the
// app (D14).
func (s *Service) approval(g oauth.Grant, o Offer, scopes []string) consent.Approval {
	return consent.Approval{
		ID: g.ConsentID, Patient: g.Record(), Performer: g.Capacity.Acting,
		ClientID: g.ClientID, ClientName: o.Client.Name, Organization: s.Organization,
		Scopes: scopes, At: g.Created, End: g.Ends,
	}
}

// tellPatient leaves a notice when somebody else connected an app to the
// patient's record.
func (s *Service) tellPatient(ctx context.Context, tx Tx, g oauth.Grant) error {
	if !g.Capacity.IsProxy() {
		return nil
	}
	person, err := s.Read.PersonByIdentity(ctx, g.Tenant, fhir.Reference{Type: "Patient", ID: g.Record()})
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return tx.AddNotice(ctx, outbox.Notice{
		Tenant: g.Tenant, ID: s.IDs.ID(), PersonID: person.ID, Template: "app-connected-by-proxy", Created: g.Created,
	})
}

func (s *Service) grantedEvent(p oauth.Pending, who Visitor, a access.ScopeAnswer, g oauth.Grant) audit.Event {
	e := s.event(p, who, audit.GrantCreated)
	e.Action, e.GrantID = "C", g.ID
	e.Patient, e.Consents = g.Record(), g.Basis()
	e.Detail = map[string]string{"scopes": g.Scopes}
	explain(&e, a.Explained)
	return e
}

// explain notes what was not granted as it was asked.
func explain(e *audit.Event, all []access.Explanation) {
	if len(all) == 0 {
		return
	}
	if e.Detail == nil {
		e.Detail = map[string]string{}
	}
	e.Detail["explained"] = access.Explained(all)
}

// unreadable explains the scopes of a request that cannot be understood, so
// that an app's maker learns which they were.
func unreadable(asked string) (out []access.Explanation) {
	req, err := scope.Parse(asked, scope.Limits{})
	if err != nil {
		return nil
	}
	for _, text := range req.Others {
		out = append(out, access.Explanation{Scope: text, Code: access.WhyUnknown})
	}
	return out
}

// refusePending ends a stored request with an error for the app and records
// it, with what became of its scopes where they are the reason. It always returns an error: the *Refusal, errs.Conflict when the request
// was answered before, or errs.Unavailable.
func (s *Service) refusePending(ctx context.Context, p oauth.Pending, who Visitor, cause *errs.Error, why ...access.Explanation) error {
	err := s.Tx.InTx(ctx, func(tx Tx) error {
		first, err := tx.FinishPending(ctx, p.Tenant, p.Name(), "", s.Clock.Now())
		if err != nil {
			return err
		}
		if !first {
			return errAnswered
		}
		if err := s.turnAway(ctx, tx, p); err != nil {
			return err
		}
		e := s.event(p, who, audit.AuthorizeRefused)
		e.Outcome, e.Reason = audit.MinorFailure, cause.Code
		explain(&e, why)
		return tx.AppendAudit(ctx, e)
	})
	if err != nil {
		return err
	}
	return &Refusal{Err: cause, RedirectURI: p.Request.RedirectURI, State: p.Request.State}
}

// RefusalURL gives the URL that tells the app about a refusal: the OAuth
// error, the state byte for byte, and the issuer (RFC 9207).
func (s *Service) RefusalURL(r *Refusal) string {
	v := url.Values{
		"error": {string(r.Err.Kind)}, "error_description": {r.Err.Msg},
		"error_uri": {s.IssuerURL + "/docs/errors/" + r.Err.Code}, "error_code": {r.Err.Code},
	}
	if r.State != "" {
		v.Set("state", r.State)
	}
	return s.returnURL(r.RedirectURI, v)
}

// returnURL adds parameters and the issuer to a registered redirect URI,
// keeping its own query (RFC 6749 §3.1.2).
func (s *Service) returnURL(redirect string, v url.Values) string {
	v.Set("iss", s.IssuerURL)
	u, err := url.Parse(redirect)
	if err != nil {
		return redirect
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += v.Encode()
	return u.String()
}
