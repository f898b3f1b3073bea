package engine

import (
	"context"
	"time"

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

// IssueCode makes a code of 256 random bits and stores its keyed hash through tx
// with all that it is bound to. It makes a new one each time, so it may be called
// again when the transaction is. Errors: errs.InvalidRequest without an S256
// challenge (SMART PKCE-01), errs.Unavailable.
func (e *Engine) IssueCode(ctx context.Context, tx oauth.TokenStore, in IssueInput) (string, error) {
	if in.Request.Challenge == "" {
		return "", errs.New(errs.InvalidRequest, "code-challenge-missing", "The parameter code_challenge is missing; PKCE with S256 is required.")
	}
	hasher, err := e.Ring.Hasher(ctx, in.Grant.Tenant)
	if err != nil {
		return "", err
	}
	code := hasher.Secret(e.IDs)
	return code, tx.CreateCode(ctx, oauth.Code{
		Tenant: in.Grant.Tenant, Hash: CodeHash(hasher, code), GrantID: in.Grant.ID, ClientID: in.Client.ID,
		RedirectURI: in.Request.RedirectURI, Challenge: in.Request.Challenge, Nonce: in.Request.Nonce,
		Issued: in.Now, Expires: in.Now.Add(CodeLife), Confirmation: oauth.Confirmation{JKT: in.Request.JKT},
	})
}
