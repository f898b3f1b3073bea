package engine

import (
	"context"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/constraint"
)

// Presented gives what a token stands for when whoever presents it proves to
// hold the key to which it is bound (RFC 9449 §7). The nonce is for the answer:
// what the client should use from now on, empty when it need not change.
// Errors: those of VerifyAccessToken; errs.Unauthenticated with code
// token-bound or token-not-bound for the wrong scheme and dpop-key-other for the
// key of somebody else, certificate-other for another certificate or none; errs.InvalidDPoPProof, errs.UseDPoPNonce,
// errs.RateLimited.
func (v *Verifier) Presented(ctx context.Context, tenant string, p oauth.Presentation) (c Claims, nonce string, err error) {
	if c, err = v.VerifyAccessToken(ctx, tenant, p.Token); err != nil {
		return c, "", err
	}
	nonce, err = v.held(ctx, tenant, c, p)
	return c, nonce, err
}

// proven judges whether a token is presented by whom it is bound to.
func (v *Verifier) proven(ctx context.Context, tenant string, c Claims, p oauth.Presentation) (nonce string, err error) {
	if bound := c.Confirmation.Certificate; bound != "" && !ids.Equal(bound, p.Certificate) {
		return "", errs.New(errs.Unauthenticated, "certificate-other", "The token is bound to a TLS client certificate, which must be shown with it.")
	}
	bound := c.Confirmation.JKT
	switch {
	case bound == "" && !p.DPoP:
		return "", nil
	case bound == "":
		return "", errs.New(errs.Unauthenticated, "token-not-bound", "The token is not bound to a key: its scheme is Bearer.")
	case !p.DPoP:
		return "", errs.New(errs.Unauthenticated, "token-bound", "The token is bound to a key: its scheme is DPoP, with a proof.")
	}
	now := v.Clock.Now()
	proof, err := constraint.Check(p.Proofs, constraint.Use{Method: p.Method, URLs: p.URLs, AccessToken: p.Token, Now: now})
	if err != nil {
		return "", err
	}
	if !ids.Equal(proof.Thumbprint, bound) {
		return "", errs.New(errs.Unauthenticated, "dpop-key-other", "The DPoP proof is of another key than the token is bound to.")
	}
	if nonce, err = v.Nonce(ctx, tenant, c.Client, proof.Nonce); err != nil {
		return nonce, err
	}
	return nonce, v.seen.Note(proof, now)
}

// Nonce judges the nonce of a proof and gives the one to be used from now on,
// empty when the client may go on as it does. Errors: errs.UseDPoPNonce for a
// client that must use one of ours, and for one that is old or not ours.
func (v *Verifier) Nonce(ctx context.Context, tenant string, c oauth.Client, used string) (string, error) {
	if !v.Nonces && !c.DPoPNonce && used == "" {
		return "", nil
	}
	h, err := v.Ring.Hasher(ctx, tenant)
	if err != nil {
		return "", err
	}
	now := v.Clock.Now()
	newest := constraint.Nonce(h, now)
	if used == newest {
		return "", nil
	}
	if !constraint.Known(h, used, now) {
		return newest, constraint.WantNonce()
	}
	return newest, nil
}

// ProofAlgorithms gives the algorithms of DPoP proofs, for discovery.
func ProofAlgorithms() []string { return constraint.Algorithms() }
