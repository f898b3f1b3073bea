package registration_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/registration"
)

// certifiedKeys gives a key set with a certificate in it.
func certifiedKeys(t *testing.T) json.RawMessage {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: at, NotAfter: at.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Certificates: []*x509.Certificate{cert}}}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// RFC 8705 §2: a client that shows a certificate registers by what name it is
// known, or the certificate itself, and nothing that would not count.
func TestCertificatesRegister(t *testing.T) {
	bare, _ := keySet(t, "k1")
	for name, row := range map[string]struct {
		bend func(e *registration.Entry)
		kind oauth.ClientKind
		why  string
	}{
		"an app by its name": {func(e *registration.Entry) { e.AuthMethod, e.TLSSubjectDN = oauth.MethodTLS, "CN=app,O=Clinic" }, oauth.ClientAsymmetric, ""},
		"a service": {func(e *registration.Entry) {
			e.AuthMethod, e.TLSDNS, e.GrantTypes, e.RedirectURIs = oauth.MethodTLS, "app.example", []string{"client_credentials"}, nil
			e.Scope = "system/*.rs"
		}, oauth.ClientBackend, ""},
		"its own certificate": {func(e *registration.Entry) { e.AuthMethod, e.JWKS = oauth.MethodTLSOfSelf, certifiedKeys(t) }, oauth.ClientAsymmetric, ""},
		"its own, at an address": {func(e *registration.Entry) {
			e.AuthMethod, e.JWKSURI = oauth.MethodTLSOfSelf, "https://app.example/jwks"
		}, oauth.ClientAsymmetric, ""},
		"bound without such a proof": {func(e *registration.Entry) { e.CertificateBound = true }, oauth.ClientPublic, ""},
		"no name":                    {func(e *registration.Entry) { e.AuthMethod = oauth.MethodTLS }, "", "tls_client_auth_subject_dn"},
		"two names": {func(e *registration.Entry) {
			e.AuthMethod, e.TLSDNS, e.TLSIP = oauth.MethodTLS, "app.example", "192.0.2.1"
		}, "", "tls_client_auth_subject_dn"},
		"a name for another method": {func(e *registration.Entry) { e.TLSDNS = "app.example" }, "", "tls_client_auth_subject_dn"},
		"no name that can be read":  {func(e *registration.Entry) { e.AuthMethod, e.TLSSubjectDN = oauth.MethodTLS, "the app" }, "", "tls_client_auth_subject_dn"},
		"no address":                {func(e *registration.Entry) { e.AuthMethod, e.TLSIP = oauth.MethodTLS, "app.example" }, "", "tls_client_auth_san_ip"},
		"a long name":               {func(e *registration.Entry) { e.AuthMethod, e.TLSURI = oauth.MethodTLS, strings.Repeat("a", 300) }, "", "tls_client_auth_san_uri"},
		"a key without certificate": {func(e *registration.Entry) { e.AuthMethod, e.JWKS = oauth.MethodTLSOfSelf, bare }, "", "jwks"},
		"no key at all":             {func(e *registration.Entry) { e.AuthMethod = oauth.MethodTLSOfSelf }, "", "jwks"},
	} {
		e := app()
		row.bend(&e)
		c, faults := registration.Rules{}.Check(e)
		if row.why != "" {
			if len(faults) != 1 || faults[0].Member != row.why {
				t.Errorf("%s: %v", name, faults)
			}
			continue
		}
		shown := registration.Of(c)
		if len(faults) > 0 || c.Kind != row.kind || shown.AuthMethod != e.AuthMethod || shown.Certificate != e.Certificate {
			t.Errorf("%s: %v %+v", name, faults, shown)
		}
		if again, faults := (registration.Rules{}).Check(shown); len(faults) > 0 || again.Kind != row.kind || again.ByCertificate() != c.ByCertificate() {
			t.Errorf("%s cannot be registered as it is shown: %v", name, faults)
		}
	}
}
