package registration

import (
	"encoding/json"
	"net"

	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/constraint"
)

// Certificate is what a client says of its TLS client certificate (RFC 8705
// §2.1.2, §3.4).
type Certificate struct {
	CertificateBound bool   `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	TLSSubjectDN     string `json:"tls_client_auth_subject_dn,omitempty"`
	TLSDNS           string `json:"tls_client_auth_san_dns,omitempty"`
	TLSURI           string `json:"tls_client_auth_san_uri,omitempty"`
	TLSIP            string `json:"tls_client_auth_san_ip,omitempty"`
	TLSEmail         string `json:"tls_client_auth_san_email,omitempty"`
}

func certificateOf(c oauth.Client) Certificate {
	return Certificate{
		CertificateBound: c.CertificateBound,
		TLSSubjectDN:     c.TLSSubjectDN, TLSDNS: c.TLSDNS, TLSURI: c.TLSURI, TLSIP: c.TLSIP, TLSEmail: c.TLSEmail,
	}
}

// put gives the client what it says about its certificate.
func (s Certificate) put(c *oauth.Client) {
	c.CertificateBound, c.TLSSubjectDN = s.CertificateBound, s.TLSSubjectDN
	c.TLSDNS, c.TLSURI, c.TLSIP, c.TLSEmail = s.TLSDNS, s.TLSURI, s.TLSIP, s.TLSEmail
}

// check judges by which name the certificate of a client is known, and that one
// which nobody vouches for is registered.
func (s Certificate) check(c oauth.Client, f *Faults) {
	names := 0
	for member, name := range map[string]string{
		"tls_client_auth_subject_dn": s.TLSSubjectDN, "tls_client_auth_san_dns": s.TLSDNS, "tls_client_auth_san_uri": s.TLSURI,
		"tls_client_auth_san_ip": s.TLSIP, "tls_client_auth_san_email": s.TLSEmail,
	} {
		if name != "" {
			names++
		}
		if len(name) > maxText || !plain(name) {
			f.add(member, "must have at most 255 characters, none of them invisible")
		}
	}
	switch {
	case c.AuthMethod == oauth.MethodTLS && names != 1:
		f.add("tls_client_auth_subject_dn", "or exactly one of the tls_client_auth_san_… names is needed for tls_client_auth")
	case c.AuthMethod != oauth.MethodTLS && names > 0:
		f.add("tls_client_auth_subject_dn", "and the names beside it are for tls_client_auth")
	}
	if s.TLSSubjectDN != "" && !constraint.ValidDN(s.TLSSubjectDN) {
		f.add("tls_client_auth_subject_dn", "must be a distinguished name such as CN=app,O=Clinic,C=US")
	}
	if s.TLSIP != "" && net.ParseIP(s.TLSIP) == nil {
		f.add("tls_client_auth_san_ip", "must be an IP address")
	}
	if c.AuthMethod == oauth.MethodTLSOfSelf && len(c.JWKS) > 0 && !certified(c.JWKS) {
		f.add("jwks", "must hold a key with its certificate in x5c for self_signed_tls_client_auth")
	}
}

// certified reports whether a key of the set comes with its certificate.
func certified(set []byte) bool {
	var read struct {
		Keys []struct {
			Certificates []string `json:"x5c"`
		} `json:"keys"`
	}
	if json.Unmarshal(set, &read) != nil {
		return false
	}
	for _, k := range read.Keys {
		if len(k.Certificates) > 0 {
			return true
		}
	}
	return false
}
