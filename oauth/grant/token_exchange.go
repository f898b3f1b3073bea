package grant

import (
	"context"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine"
)

// typeAccessToken is the only type of token that is taken and given (RFC 8693
// §3).
const typeAccessToken = "urn:ietf:params:oauth:token-type:access_token" //nolint:gosec // the name of a type and no credential

// tokenExchange gives a client a token with which it acts for another one under
// a person's grant (RFC 8693, delegation). What it gives is never more than the
// grant gives now, never lives longer than the token presented, and dies with
// every token that it was made from.
type tokenExchange struct{ tokens *engine.Verifier }

// Name gives the grant type of RFC 8693 §2.1.
func (tokenExchange) Name() string { return Exchange }

// Fill verifies the tokens presented and asks the registrations who may act for
// whom. As RFC 8693 §2.2.2 wants it, a token that is not acceptable is an
// invalid_request.
func (t tokenExchange) Fill(ctx context.Context, in Asked) (Blanks, error) {
	if !in.Client.TokenExchange || !in.Client.Confidential() {
		return Blanks{}, errUnauthorized()
	}
	if err := exchangeForm(in); err != nil {
		return Blanks{}, err
	}
	subject, err := t.verify(ctx, in, "subject")
	if err != nil {
		return Blanks{}, err
	}
	if subject.Confirmation != (oauth.Confirmation{}) && in.Confirmation == (oauth.Confirmation{}) {
		return Blanks{}, errs.New(errs.InvalidDPoPProof, "dpop-proof-missing",
			"The subject_token is bound to a key: a DPoP proof is needed, to whose key the new token is bound, or a registration for tokens that are bound to a certificate.")
	}
	if subject.Grant.ID == "" {
		return Blanks{}, errs.New(errs.InvalidRequest, "subject-token-personless", "The subject_token stands for no person: a client that acts for itself hands nothing on.")
	}
	b := Blanks{Grant: subject.Grant, Standing: subject.Standing(), Until: subject.Expires, TokenType: typeAccessToken}
	actor := in.Client
	parents := subject.Parents()
	if in.Form.Has("actor_token") {
		presented, err := t.verify(ctx, in, "actor")
		if err != nil {
			return b, err
		}
		if err := holds(presented.Confirmation, in.Confirmation); err != nil {
			return b, err
		}
		if presented.Grant.ID != "" {
			return b, errs.New(errs.InvalidRequest, "actor-token-personal", "The actor_token stands for a person; it must be one that the actor got for itself.")
		}
		actor, parents = presented.Client, append(parents, presented.Parents()...)
	}
	if err := t.mayAct(ctx, in, subject, actor); err != nil {
		return b, err
	}
	b.Direct = &engine.Direct{Act: &oauth.Actor{Subject: actor.ID, Act: subject.Act}, Parents: parents}
	if b.Scopes, b.Explained, err = delegable(subject.Scope, in.Form.Get("scope"), in.Client.Scopes, actor.Scopes); err != nil {
		return b, err
	}
	b.Also = delegate(in, subject, actor)
	return b, nil
}

// exchangeForm judges the parameters that need no row.
func exchangeForm(in Asked) error {
	form := in.Form
	for _, name := range []string{"subject_token", "subject_token_type"} {
		if !form.Has(name) {
			return errs.New(errs.InvalidRequest, "parameter-missing", name+" is missing.")
		}
	}
	if form.Has("actor_token") != form.Has("actor_token_type") {
		return errs.New(errs.InvalidRequest, "actor-token-type", "actor_token and actor_token_type go together.")
	}
	for _, name := range []string{"subject_token_type", "actor_token_type", "requested_token_type"} {
		if form.Has(name) && form.Get(name) != typeAccessToken {
			return errs.New(errs.InvalidRequest, "token-type-unsupported", "The only token type is "+typeAccessToken+".")
		}
	}
	for _, name := range []string{"resource", "audience"} {
		if form.Has(name) && strings.TrimSuffix(form.Get(name), "/") != in.Site.FHIRBase {
			return errs.New(errs.InvalidTarget, "target-unknown", "The "+name+" must be the FHIR base URL of this server.")
		}
	}
	return nil
}

// verify reads one of the two tokens.
func (t tokenExchange) verify(ctx context.Context, in Asked, which string) (engine.Claims, error) {
	c, err := t.tokens.VerifyAccessToken(ctx, in.Site.Tenant, in.Form.Get(which+"_token"))
	switch {
	case errs.Is(err, errs.Unauthenticated) && which == "actor":
		err = errs.Wrap(err, errs.InvalidRequest, "actor-token-invalid", "The actor_token is not valid or not valid any more.")
	case errs.Is(err, errs.Unauthenticated):
		err = errs.Wrap(err, errs.InvalidRequest, "subject-token-invalid", "The subject_token is not valid or not valid any more.")
	}
	return c, err
}

// mayAct asks three things: whether the client in whose hands the subject token
// is names the actor, whether it names who asks, where that is not itself, and
// whether the person has not ended that the actor acts.
func (t tokenExchange) mayAct(ctx context.Context, in Asked, subject engine.Claims, actor oauth.Client) error {
	holder := subject.Client
	if id := subject.Holder(); id != holder.ID {
		var err error
		if holder, err = in.Reader.ClientByID(ctx, in.Site.Tenant, id); err != nil {
			return err
		}
	}
	if !actor.MayActFor(holder) || in.Client.ID != holder.ID && !in.Client.MayActFor(holder) {
		return errs.New(errs.InvalidRequest, "actor-not-allowed", "The registration of the client that holds the subject_token does not let this one act.")
	}
	if len(subject.Act.Chain()) >= oauth.MaxActors {
		return errs.New(errs.InvalidRequest, "actor-chain-long", "The token was handed on too often.")
	}
	known, err := t.tokens.Acting.Delegations(ctx, in.Site.Tenant, subject.Grant.ID)
	if err == nil && slices.ContainsFunc(known, func(d oauth.Delegation) bool { return d.ClientID == actor.ID && !d.Ended.IsZero() }) {
		return errActorEnded()
	}
	return err
}

func errActorEnded() error {
	return errs.New(errs.InvalidRequest, "actor-ended", "The person does not let this client act any more.")
}

// delegate notes who acts, for the person's page, in the one commit.
func delegate(in Asked, subject engine.Claims, actor oauth.Client) func(context.Context, oauth.Tx) error {
	d := oauth.Delegation{
		Tenant: in.Site.Tenant, GrantID: subject.Grant.ID, ClientID: actor.ID, Via: subject.Holder(), Since: in.Now, Last: in.Now,
	}
	return func(ctx context.Context, tx oauth.Tx) error {
		err := tx.Delegate(ctx, d)
		if errs.Is(err, errs.Conflict) {
			return errActorEnded()
		}
		return err
	}
}

// delegable gives what can be handed on: the clinical scopes asked for, which the
// subject token must cover, as far as every registration goes; and for each scope
// that is not handed on as it was asked the reason. Who the person is and access
// while they are away are for the app alone. Errors: errs.InvalidScope for more
// than the token has, and when nothing is left.
func delegable(held, requested string, registered ...string) (scopes string, explained []access.Explanation, err error) {
	if requested != "" {
		if _, explained, err = subset(held, requested); err != nil {
			return "", explained, err
		}
	} else {
		requested = held
	}
	req, err := scope.Parse(requested, oauth.StoredScopes())
	if err != nil {
		return "", nil, err
	}
	ceilings := make([]scope.Set, len(registered))
	for i, text := range registered {
		ceiling, err := scope.Parse(text, scope.Limits{})
		if err != nil {
			return "", nil, errs.Wrap(err, errs.Internal, "client-scopes", "The registered scopes cannot be read.")
		}
		ceilings[i] = ceiling.Clinical
	}
	var out []string
	for _, text := range req.Texts {
		s, clinical := scope.ParseScope(text)
		left := scope.Set{}
		if clinical {
			left = within(s, ceilings)
		}
		texts := left.Strings()
		for _, one := range texts {
			if !slices.Contains(out, one) {
				out = append(out, one)
			}
		}
		known := slices.ContainsFunc(explained, func(e access.Explanation) bool { return e.Scope == text })
		switch {
		case known || slices.Contains(texts, text):
		case clinical:
			explained = append(explained, access.Explanation{Scope: text, Code: access.WhyNotRegistered, Became: texts})
		default:
			explained = append(explained, access.Explanation{Scope: text, Code: access.WhyLevel})
		}
	}
	if len(out) == 0 {
		return "", explained, errs.New(errs.InvalidScope, "scope-not-registered", "None of the scopes is registered for this client.")
	}
	return strings.Join(out, " "), explained, nil
}

// within gives the scope itself where every ceiling covers it, and otherwise what
// of it lies within all of them.
func within(s scope.Scope, ceilings []scope.Set) scope.Set {
	left := scope.Set{s}
	for _, ceiling := range ceilings {
		if !slices.ContainsFunc(left, func(one scope.Scope) bool { return !ceiling.Covers(one) }) {
			continue
		}
		left = left.Intersect(ceiling)
	}
	return left
}
