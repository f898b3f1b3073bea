package engine

import (
	"context"
	"net/url"
	"time"

	"github.com/ory/fosite"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// IssueInput is an authorization request that was decided.
type IssueInput struct {
	Client  oauth.Client
	Request oauth.AuthorizeRequest
	// Grant is what the person allowed; it is stored by the caller in the
	// same transaction.
	Grant oauth.Grant
	Now   time.Time
}

// IssueCode runs fosite's authorize response and stores the code through tx.
// It makes a new code each time, so it may be called again when the
// transaction is. Errors: errs.InvalidRequest without an S256 challenge,
// errs.Unavailable.
func (e *Engine) IssueCode(ctx context.Context, tx oauth.TokenStore, in IssueInput) (string, error) {
	hasher, err := e.Ring.Hasher(ctx, in.Grant.Tenant)
	if err != nil {
		return "", err
	}
	redirect, err := url.Parse(in.Request.RedirectURI)
	if err != nil {
		return "", errs.Wrap(err, errs.InvalidRequest, "redirect-uri", "redirect_uri cannot be read.")
	}
	u := &unit{
		now: in.Now, site: Site{Tenant: in.Grant.Tenant}, hasher: hasher, grant: in.Grant, scopes: in.Grant.Scopes,
		client: client{Client: in.Client, scopes: words(in.Grant.Scopes)},
		code: oauth.Code{
			Tenant: in.Grant.Tenant, GrantID: in.Grant.ID, ClientID: in.Client.ID,
			RedirectURI: in.Request.RedirectURI, Challenge: in.Request.Challenge, Nonce: in.Request.Nonce,
			Issued: in.Now, Expires: in.Now.Add(CodeLife),
		},
	}
	ar := fosite.NewAuthorizeRequest()
	ar.Request = *u.request(in.Grant.ID, in.Client.ID, url.Values{
		"redirect_uri":   {in.Request.RedirectURI},
		"code_challenge": {in.Request.Challenge}, "code_challenge_method": {"S256"},
	})
	ar.ResponseTypes, ar.RedirectURI, ar.State = fosite.Arguments{"code"}, redirect, in.Request.State
	response, err := e.machine(u).authorize().NewAuthorizeResponse(ctx, ar, newSession(u, u.subject()))
	if err != nil {
		return "", u.translate(err)
	}
	code := response.GetCode()
	if code == "" || u.codeHash == "" {
		return "", errs.New(errs.Internal, "protocol-engine", "No code was issued.")
	}
	u.code.Hash = u.codeHash
	if err := tx.CreateCode(ctx, u.code); err != nil {
		return "", err
	}
	return code, nil
}
