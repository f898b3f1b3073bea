package grant

import (
	"context"
	"net/http"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/constraint"
)

// prove judges the DPoP proof of a request: none is needed unless the client is
// registered so, but one that is sent must be good (RFC 9449 §5).
func (e *Endpoint) prove(ctx context.Context, a *attempt) error {
	if len(a.call.Proofs) == 0 && !a.auth.Client.DPoPBound {
		return nil
	}
	p, err := constraint.Check(a.call.Proofs, constraint.Use{Method: http.MethodPost, URLs: a.call.URLs, Now: a.now})
	if err != nil {
		return err
	}
	if a.nonce, err = e.Engine.Verifier.Nonce(ctx, a.call.Site.Tenant, a.auth.Client, p.Nonce); err != nil {
		return err
	}
	a.proof = &p
	return nil
}

// confirmation is the key to which the tokens are bound.
func (a *attempt) confirmation() oauth.Confirmation {
	if a.proof == nil {
		return oauth.Confirmation{}
	}
	return oauth.Confirmation{JKT: a.proof.Thumbprint}
}

// holds asks that what is bound to a key comes with that key.
func holds(bound, proved oauth.Confirmation) error {
	switch {
	case bound.JKT == "":
		return nil
	case proved.JKT == "":
		return errs.New(errs.InvalidDPoPProof, "dpop-proof-missing", "This is bound to a key: a DPoP proof is needed, in the DPoP header.")
	case !ids.Equal(bound.JKT, proved.JKT):
		return errs.New(errs.InvalidGrant, "dpop-key-other", "The DPoP proof is of another key than this is bound to.")
	}
	return nil
}
