package clientauth

import (
	"bytes"
	"context"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/constraint"
)

// Certificate is a TLS client certificate whose key the client has proved to hold.
type Certificate = constraint.Certificate

// certificate checks tls_client_auth and self_signed_tls_client_auth (RFC 8705
// §2). That the other side holds the key of the certificate was proved when the
// connection was made.
func (a *Authenticator) certificate(ctx context.Context, req Request, c oauth.Client) (Result, error) {
	shown := req.Certificate
	if shown == nil {
		return Result{}, errs.New(errs.InvalidClient, "certificate-missing", "This client must show its TLS client certificate, at the addresses of mtls_endpoint_aliases.")
	}
	if c.AuthMethod == oauth.MethodTLSOfSelf {
		if err := shown.Current(a.Clock.Now()); err != nil {
			return Result{}, err
		}
		return Result{Client: c, Method: TLSOfSelf}, a.registered(ctx, c, shown)
	}
	if a.Authorities == nil {
		return Result{}, errs.New(errs.InvalidClient, "certificate-untrusted", "No authority of client certificates is trusted here.")
	}
	if err := shown.Verify(a.Authorities, a.Clock.Now()); err != nil {
		return Result{}, err
	}
	subject := constraint.Subject{DN: c.TLSSubjectDN, DNS: c.TLSDNS, URI: c.TLSURI, IP: c.TLSIP, Email: c.TLSEmail}
	if !subject.Names(shown.Leaf) {
		return Result{}, errs.New(errs.InvalidClient, "certificate-other", "The client certificate does not bear the name that is registered.")
	}
	return Result{Client: c, Method: TLS}, nil
}

// registered asks that the certificate is the x5c of one of the client's keys.
func (a *Authenticator) registered(ctx context.Context, c oauth.Client, shown *constraint.Certificate) error {
	same := func(k jose.JSONWebKey) bool {
		return len(k.Certificates) > 0 && bytes.Equal(k.Certificates[0].Raw, shown.Leaf.Raw)
	}
	set := a.sets.of(c.JWKS)
	if c.JWKSURI != "" {
		var err error
		if set, err = a.Keys.with(ctx, c.JWKSURI, same); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(set, same) {
		return errs.New(errs.InvalidClient, "certificate-other", "The client certificate is not among those that are registered.")
	}
	return nil
}
