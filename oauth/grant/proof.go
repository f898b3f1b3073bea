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
		return errs.New(errs.InvalidRequest, "certificate-wanted",
			"This client's tokens are bound to its TLS client certificate, which must be shown, at the addresses of mtls_endpoint_aliases.")
	}
	if len(a.call.Proofs) == 0 && !a.auth.Client.DPoPBound {
		return nil
	}
	p, nonce, err := e.Proof(ctx, a.call, a.auth.Client)
	if a.nonce = nonce; err != nil {
		return err
	}
	a.proof = &p
	return nil
}

// Proof judges the DPoP proof of a client's request to the endpoint that call
// names, which is not recorded as used yet. nonce is what the client is told to
// use from now on, for an error too. Errors: errs.InvalidDPoPProof,
// errs.UseDPoPNonce, errs.Unavailable.
func (e *Endpoint) Proof(ctx context.Context, call Call, client oauth.Client) (p constraint.Proof, nonce string, err error) {
	p, err = constraint.Check(call.Proofs, constraint.Use{Method: http.MethodPost, URLs: call.URLs, Now: e.Clock.Now()})
	if err == nil {
		nonce, err = e.Engine.Verifier.Nonce(ctx, call.Site.Tenant, client, p.Nonce)
	}
	return p, nonce, err
}

// Spend gives how a proof that passed is recorded as used: the name of its key
// in place of an issuer, and the refusal of one that was used before.
func Spend(p constraint.Proof) (issuer string, used error) {
	return constraint.Issuer(p.Thumbprint), constraint.Replayed()
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
