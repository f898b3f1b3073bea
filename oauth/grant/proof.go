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
	if a.auth.Client.CertificateBound && a.call.Certificate == nil {
		return errs.New(errs.InvalidRequest, "certificate-wanted", "This client's tokens are bound to its TLS client certificate, which must be shown, at the addresses of mtls_endpoint_aliases.")
	}
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

// confirmation is what the tokens are bound to: the key that was proved, and for
// a client registered so the certificate (RFC 8705 §3).
func (a *attempt) confirmation() (c oauth.Confirmation) {
	if a.proof != nil {
		c.JKT = a.proof.Thumbprint
	}
	if a.auth.Client.CertificateBound {
		c.Certificate = a.call.Certificate.Thumbprint()
	}
	return c
}

// holds asks that what is bound to a key comes with that key.
func holds(bound, proved oauth.Confirmation) error {
	switch {
	case bound.JKT != "" && proved.JKT == "":
		return errs.New(errs.InvalidDPoPProof, "dpop-proof-missing", "This is bound to a key: a DPoP proof is needed, in the DPoP header.")
	case bound.JKT != "" && !ids.Equal(bound.JKT, proved.JKT):
		return errs.New(errs.InvalidGrant, "dpop-key-other", "The DPoP proof is of another key than this is bound to.")
	case bound.Certificate != "" && !ids.Equal(bound.Certificate, proved.Certificate):
		return errs.New(errs.InvalidGrant, "certificate-other", "This is bound to another TLS client certificate.")
	}
	return nil
}
