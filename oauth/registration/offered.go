package registration

import (
	"slices"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// Offer is what a server offers of that which it can be set to. The zero value
// asks nobody for a certificate and has no grant type switched off.
type Offer struct {
	// Certificates are the ways of authentication by a TLS client certificate; none
	// means that nothing can be bound to one either (RFC 8705).
	Certificates []string
	// Off are the grant types that are switched off.
	Off []string
}

// Everything is the offer where a client is written down for a server that is not
// asked: mandate doctor tells what it does not offer.
func Everything() Offer {
	return Offer{Certificates: []string{oauth.MethodTLS, oauth.MethodTLSOfSelf}}
}

// Refuse refuses what the server does not offer and the client did not have: it
// would be registered, and never get a token. Errors: errs.InvalidClientMetadata
// with code client-method-not-offered, client-binding-not-offered or
// client-grant-not-offered.
func (o Offer) Refuse(have, next oauth.Client) error {
	lacks := func(grant string) bool { return slices.Contains(o.Off, grant) }
	switch {
	case next.ByCertificate() && next.AuthMethod != have.AuthMethod && !slices.Contains(o.Certificates, next.AuthMethod):
		return errs.New(errs.InvalidClientMetadata, "client-method-not-offered",
			"token_endpoint_auth_method "+next.AuthMethod+" is not offered by this server: token_endpoint_auth_methods_supported of its discovery document lists what is.")
	case next.CertificateBound && !have.CertificateBound && len(o.Certificates) == 0:
		return errs.New(errs.InvalidClientMetadata, "client-binding-not-offered",
			"tls_client_certificate_bound_access_tokens is not offered by this server: it asks for no TLS client certificate. dpop_bound_access_tokens is.")
	case next.DeviceFlow && !have.DeviceFlow && lacks(grantDevice), next.TokenExchange && !have.TokenExchange && lacks(grantExchange):
		return errs.New(errs.InvalidClientMetadata, "client-grant-not-offered",
			"The grant types hold one that is switched off at this server: grant_types_supported of its discovery document lists those that are not.")
	}
	return nil
}
