package conformance

import (
	"os"

	"github.com/mandate-health/mandate/conformance/kit"
)

// certify adds the clients that show a TLS client certificate (RFC 8705): a
// backend service that an authority vouches for, an app that registered its own
// certificate, one that has no other credential, and an agent that acts for it.
func (e *Extras) certify() (err error) {
	if e.authority, err = kit.NewClientAuthority(); err != nil {
		return err
	}
	redirect := []string{"https://selftest.example/callback"}
	for _, c := range []kit.Client{
		{ID: "selftest-mtls", Kind: "backend", Scopes: "system/*.rs", TLS: kit.TLS{AuthMethod: kit.MethodTLS, TLSDNS: "service.selftest.example"}},
		{ID: "selftest-mtls-own", Kind: "asymmetric", TLS: kit.TLS{AuthMethod: kit.MethodTLSOfSelf}, RedirectURIs: redirect},
		{ID: "selftest-fapi-mtls", Kind: "asymmetric", TLS: kit.TLS{AuthMethod: kit.MethodTLSOfSelf, Profile: "fapi2"}, RedirectURIs: redirect},
		{ID: "selftest-mtls-public", Kind: "public", RedirectURIs: redirect, MayAct: []string{"selftest-mtls-agent"}},
		{ID: "selftest-mtls-agent", Kind: "asymmetric", TLS: kit.TLS{AuthMethod: kit.MethodTLSOfSelf}, TokenExchange: true, Scopes: "patient/*.rs"},
	} {
		signer := e.authority
		if c.AuthMethod != kit.MethodTLS {
			signer = nil
		}
		if c.Pair, err = signer.Pair("service.selftest.example"); err != nil {
			return err
		}
		c.CertificateBound = c.Profile == ""
		e.clients = append(e.clients, c)
	}
	return nil
}

// WriteAuthority writes the authority of client certificates, for --mtls-ca.
func (e *Extras) WriteAuthority(path string) error {
	return os.WriteFile(path, []byte(e.authority.Certificate), 0o600)
}

// certificates puts into a registration what it says of a certificate.
func certificates(c kit.Client, m map[string]any) error {
	if c.CertificateBound {
		m["tls_client_certificate_bound_access_tokens"] = true
	}
	if c.AuthMethod != "" {
		m["token_endpoint_auth_method"] = c.AuthMethod
	}
	if c.TLSDNS != "" {
		m["tls_client_auth_san_dns"] = c.TLSDNS
	}
	if c.AuthMethod == kit.MethodTLSOfSelf {
		set, err := c.JWKS(c.ID)
		m["jwks"] = set
		return err
	}
	return nil
}
